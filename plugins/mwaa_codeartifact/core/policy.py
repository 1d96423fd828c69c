"""The thresholds of the project: below which remaining lifetime each refresher refreshes, and why.

Everything else imports these. Only the template infra/cloudformation/refresher.yaml holds a copy, which a test compares.
"""

from __future__ import annotations

from datetime import timedelta

# The longest lifetime that CodeArtifact grants (API reference, GetAuthorizationToken, durationSeconds).
TOKEN_LIFETIME = timedelta(hours=12)

# The DAG runs hourly and refreshes nearly every time, so it is normally the only writer; 11 h always remain.
DAG_MIN_REMAINING = timedelta(hours=11, minutes=30)

# The Lambda runs every 30 minutes and writes only when the DAG has missed runs; 8 h remain on the Lambda alone.
LAMBDA_MIN_REMAINING = timedelta(hours=9)

# The startup script runs before pip, which MWAA gives 9 minutes: the token must outlive them.
STARTUP_MIN_REMAINING = timedelta(minutes=10)
