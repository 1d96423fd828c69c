"""The status of a target for people: verdict, timeline, history and a cached view."""
