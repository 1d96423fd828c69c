"""The status of a target, as people see it: verdict, timeline, history and a cached watch."""
