"""Measurements: `make bench`. Each is a ratio to a reference in the same run."""
