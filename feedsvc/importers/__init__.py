"""Foreign feeds, calendars and exports → entries as if they had been posted."""
