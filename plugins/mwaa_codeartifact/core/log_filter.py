"""Keep the token out of botocore's DEBUG log, which contains whole requests and responses.

All other records of botocore stay in the log, for debugging an Airflow or a Lambda at DEBUG.
"""

from __future__ import annotations

import logging

# The loggers of bodies: of requests (botocore.endpoint) and of responses (botocore.parsers).
_BODY_LOGGERS = ("botocore.endpoint", "botocore.parsers")
_SECRET_MARKERS = ("authorizationToken", "--index-url ")


def keep_token_out() -> None:
    """Drop botocore's DEBUG records that could contain the token; safe to repeat."""
    for name in _BODY_LOGGERS:
        logging.getLogger(name).addFilter(_has_no_secret)


def _has_no_secret(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(marker in message for marker in _SECRET_MARKERS)
