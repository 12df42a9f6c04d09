"""gunicorn: its settings, worker, logging and metrics."""
