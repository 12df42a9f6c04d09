"""Feeds and calendars of others → entries as if they had been posted."""
