"""Access logs, counted and reported for `readers`."""
