"""With this folder on PYTHONPATH, the service uses Python's own SQLite.

As it does on machines for which pysqlite3 has no wheel.
"""

raise ImportError
