"""gunicorn: its settings, worker and logging."""
