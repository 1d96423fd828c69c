"""Measurements: nothing here is deployed, and no deployed code needs it."""
