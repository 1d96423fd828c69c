"""Run EventBridge rules with a rate: moto keeps them, nobody in it fires them."""

from __future__ import annotations

import re
import threading
import time
import uuid
from datetime import UTC, datetime
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


def repeat(work: Callable[[], object], seconds: float) -> Callable[[], None]:
    """Do something again and again, after as many seconds each, in a thread of its own; return what stops it."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(seconds):
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()

    return stop


class Schedule:
    """Fire a region's enabled rules at their rates, first when that time has passed since a rule was seen; say it."""

    def __init__(self, region: str, say: Callable[[str], None]) -> None:
        self._region, self._say = region, say
        self._due: dict[str, float] = {}
        self.stop = repeat(self._fire_what_is_due, 1)

    def _fire_what_is_due(self) -> None:
        for rule in list(events_backends[DEFAULT_ACCOUNT_ID][self._region].list_rules()[0]):
            rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", rule.scheduled_expression or "")
            if rate and rule.state == "ENABLED":
                seconds = int(rate[1]) * _UNITS[rate[2]]
                if time.monotonic() >= self._due.setdefault(rule.arn, time.monotonic() + seconds):
                    self._due[rule.arn] += seconds
                    self.fire(rule)

    def fire(self, rule: Rule) -> None:
        """Invoke a rule's functions, those that let it.

        Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge": else it is a failed
        invocation, and the function hears nothing of it.
        """
        kind = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
        where = {"account": DEFAULT_ACCOUNT_ID, "region": self._region, "resources": [rule.arn]}
        event = {"id": str(uuid.uuid4()), "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **kind, **where}
        for target in rule.targets:
            try:
                function = get_backend(DEFAULT_ACCOUNT_ID, self._region).get_function(target["Arn"])
            except UnknownFunctionException:
                self._say(f"{rule.name}: failed invocation, there is no {target['Arn']}")
                continue
            if may_invoke(function, "events.amazonaws.com", rule.arn):
                lambda_runtime.invoke_async(function, event, lambda outcome: self._say(f"{rule.name} {outcome}"))
            else:
                self._say(f"{rule.name}: failed invocation, no AWS::Lambda::Permission of {target['Arn']} lets it")
