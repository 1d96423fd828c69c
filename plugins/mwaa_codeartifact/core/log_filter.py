"""Keep the token out of botocore's own DEBUG log, which tells whole requests and answers.

Whoever debugs an Airflow or a Lambda at DEBUG still reads all else that botocore says.
"""

from __future__ import annotations

import logging

# The loggers that tell bodies: of requests (botocore.endpoint) and of answers (botocore.parsers).
_TELL_BODIES = ("botocore.endpoint", "botocore.parsers")
_SECRET_IS_NEAR = ("authorizationToken", "--index-url ")


def keep_token_out() -> None:
    """Let botocore log no body that holds the token; safe to repeat."""
    for name in _TELL_BODIES:
        logging.getLogger(name).addFilter(_holds_no_token)


def _holds_no_token(record: logging.LogRecord) -> bool:
    return not any(mark in record.getMessage() for mark in _SECRET_IS_NEAR)
