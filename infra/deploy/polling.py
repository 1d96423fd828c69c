"""Polling that survives transient failures of single requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from infra.cli.aws import AwsError
from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 3.0
# The AWS CLI has tried each of them several times already (AWS_RETRY_MODE=standard).
_FAILURES_IN_A_ROW = 5

T = TypeVar("T")


def patient(look: Callable[[], T]) -> T:
    """Return a request's answer; after a transient failure, repeat the request, five times in all.

    AWS continues its work in the meantime, so a throttled or lost request is no reason to stop waiting.

    :param look: a request that changes nothing.
    :raises AwsError: if it fails for another reason, or five times in a row.
    """
    for _ in range(_FAILURES_IN_A_ROW - 1):
        try:
            return look()
        except AwsError as error:
            if not error.passing:
                raise
            say(f"  … {error.operation} failed for the moment ({error.code or 'no answer'}): asking again")
            time.sleep(POLL_SECONDS)
    return look()
