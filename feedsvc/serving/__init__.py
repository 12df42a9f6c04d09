"""How `feedsvc serve` serves: gunicorn, and an event loop in front of Flask."""
