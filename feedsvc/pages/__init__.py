"""Pages for people: their views, HTML and files."""
