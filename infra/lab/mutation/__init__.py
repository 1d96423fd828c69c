"""Remove lines from the templates, one at a time, and check that a check fails."""
