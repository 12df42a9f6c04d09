"""Input: JSON → an `Entry` or a `Category`, validated, normalized and sanitized.

It knows no Flask and no database, so that the API, imports and samples share it.
"""
