"""Looking again and again: a long wait outlives a look that fails by chance."""

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
    """Return what a look gives; one that fails for a reason that passes is repeated a few times.

    What AWS does meanwhile goes on, so a throttled or lost call is no reason to end.

    :param look: asks AWS and changes nothing.
    :raises AwsError: if it fails for another reason, or too often in a row.
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
