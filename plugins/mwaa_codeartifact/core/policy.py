"""The thresholds of the project, each with its reason.

Everything else imports these. Only the template infra/cloudformation/refresher.yaml has a copy, which a test compares.
"""

from __future__ import annotations

from datetime import timedelta

# The longest lifetime that CodeArtifact grants (API reference, GetAuthorizationToken, durationSeconds).
TOKEN_LIFETIME = timedelta(hours=12)

# The schedule of the refresh DAG, @hourly.
DAG_INTERVAL = timedelta(hours=1)

# The DAG refreshes at nearly every run, so it is normally the only writer; 11 h always remain.
DAG_MIN_REMAINING = timedelta(hours=11, minutes=30)

# The Lambda runs every 30 minutes and writes only when the DAG has missed runs; 8 h remain on the Lambda alone.
LAMBDA_MIN_REMAINING = timedelta(hours=9)

# The startup script runs before pip, which MWAA stops after 9 minutes: the token must be valid for longer.
STARTUP_MIN_REMAINING = timedelta(minutes=10)

# The sensor's default: time for the tasks behind it to install their packages.
SENSOR_MIN_REMAINING = timedelta(minutes=30)

# A line in its last second counts as expired, whatever remaining lifetime is asked for.
SHORTEST_REMAINING = timedelta(seconds=1)

# A token may be valid for this much less than the caller needs before a warning: the mint and the clocks take time.
LIFETIME_TOLERANCE = timedelta(minutes=1)

# While the DAG's runs succeed, 11 h remain: less than this shows that it has missed a run.
DAG_MISSED_BELOW = timedelta(hours=10)

# After two intervals without a success, at least one run of the DAG is missing or has failed.
DAG_WITHOUT_SUCCESS = 2 * DAG_INTERVAL

# A busy scheduler may start a run late, and it schedules the next run some seconds after the last one has ended.
DAG_MAY_BE_LATE = timedelta(minutes=10)


def in_hours(duration: timedelta) -> str:
    """Return a duration in hours as text, such as ``11.5``.

    :param duration: the duration.
    """
    return f"{duration / timedelta(hours=1):g}"
