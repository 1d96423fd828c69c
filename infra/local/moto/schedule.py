"""Run EventBridge rules with a rate: moto keeps them, nobody in it fires them."""

from __future__ import annotations

import re
import threading
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.utils import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends

from infra.local.moto import lambda_runtime
from infra.local.moto.iam import may_invoke

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.events.models import Rule

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


class Schedule:
    """Fire every enabled rule at its rate, first when that time has passed since the rule was seen.

    :param region: whose rules.
    :param say: told every invocation and its outcome.
    """

    def __init__(self, region: str, say: Callable[[str], None]) -> None:
        self._region, self._say = region, say
        self._due: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop firing."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(1):
            for rule in list(events_backends[DEFAULT_ACCOUNT_ID][self._region].list_rules()[0]):
                seconds = rate_seconds(rule.scheduled_expression or "")
                if seconds and rule.state == "ENABLED":
                    due = self._due.setdefault(rule.arn, time.monotonic() + seconds)
                    if time.monotonic() >= due:
                        self._due[rule.arn] = due + seconds
                        self.fire(rule)

    def fire(self, rule: Rule) -> None:
        """Invoke a rule's functions, those that let it.

        Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge": else it is a failed
        invocation, and the function hears nothing of it.
        """
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": DEFAULT_ACCOUNT_ID,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": self._region,
            "resources": [rule.arn],
            "detail": {},
        }
        for target in rule.targets:
            try:
                function = get_backend(DEFAULT_ACCOUNT_ID, self._region).get_function(target["Arn"])
            except UnknownFunctionException:
                self._say(f"{rule.name}: failed invocation, there is no {target['Arn']}")
                continue
            if may_invoke(function, "events.amazonaws.com", rule.arn, DEFAULT_ACCOUNT_ID):
                lambda_runtime.invoke_async(function, event, partial(self._tell, rule.name))
            else:
                self._say(f"{rule.name}: failed invocation, no AWS::Lambda::Permission of {target['Arn']} lets it")

    def _tell(self, rule: str, outcome: str) -> None:
        self._say(f"{rule} {outcome}")


def rate_seconds(expression: str) -> int | None:
    """Read an EventBridge rate, such as ``rate(30 minutes)``; None for anything else."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(match[1]) * _UNITS[match[2]] if match else None
