"""Words, languages and zones: tools that know nothing of entries and feeds."""
