"""Public views: feeds, pages, errors and health."""
