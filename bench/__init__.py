"""Measurements: `make bench`. Every figure is a ratio to a reference measured in turn in the same run."""
