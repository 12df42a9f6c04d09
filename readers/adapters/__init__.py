"""Adapters: what each program shows of a feed."""
