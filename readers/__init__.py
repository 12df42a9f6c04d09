"""Feed readers and calendar programs of others, and what they make of this service."""
