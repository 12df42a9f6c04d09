"""Requests for feeds as feed readers make them, and the rules of `check`."""
