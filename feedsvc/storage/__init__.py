"""The database: entries, categories, revisions and tokens.

This is the only package that commits.
"""
