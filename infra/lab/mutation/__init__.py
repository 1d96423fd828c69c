"""Remove lines from the templates, one at a time, and see whether a check notices."""
