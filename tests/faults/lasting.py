"""A fault that lasts for hours: the deployed handler meets it at every tick, and its metrics reach the alarms."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

from infra.refresher import handler, metrics
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.core.refresh import refresh
from tests.faults.alarms import AlarmClock, schedule, tries
from tests.infra.refresher.support import settings_for
from tests.plugins.mwaa_codeartifact.core.support import START

if TYPE_CHECKING:
    from tests.faults.support import Row, Scene
    from tests.plugins.mwaa_codeartifact.core.support import Clock

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# The DAG has stopped so long ago that the Lambda is due at START, and has found a fresh line until then.
STANDING = START + 8.5 * HOUR
# Lambda guide, "How Lambda handles errors and retries with asynchronous invocation": after one minute, then after two.
_TRIES_AFTER = (timedelta(0), MINUTE, 3 * MINUTE)
_SETTINGS = settings_for("bucket")
_TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class _Lambda:
    """The deployed handler in this process, with the scene's clients and clock and the template's settings."""

    def __init__(self, scene: Scene, clock: Clock, alarms: AlarmClock) -> None:
        self._scene, self._clock, self._alarms = scene, clock, alarms
        self._fails = False
        clients = cache(
            lambda service, session, config: session.client(service, endpoint_url=scene.aws.url, config=config)
        )
        client = lambda service, **_: clients(service, scene.session, scene.config)  # noqa: E731
        now = SimpleNamespace(now=lambda _: self._now())
        for module, name, value in (
            (handler, "boto3", SimpleNamespace(client=client)),
            (handler, "datetime", now),
            (handler, "refresh", partial(refresh, now=self._now)),
            (metrics, "time", SimpleNamespace(time=lambda: clock().timestamp())),
        ):
            scene.patch.setattr(module, name, value)

    def _now(self) -> datetime:
        return self._clock() + self._scene.skew

    def tick(self, at: datetime) -> None:
        """Invoke it as the schedule does, with Lambda's retries.

        Once a tick has failed with all its retries, the retries of later ticks are only counted: they take long.
        """
        moments = [at + after for after in _TRIES_AFTER[: tries()]]
        for moment in moments[:1] if self._fails else moments:
            self._clock.time = moment
            self._scene.meet_the_faults_again()
            if self._succeeds():
                return
            self._alarms.count_error(moment)
        for moment in moments[1:] if self._fails else []:
            self._alarms.count_error(moment)
        self._fails = True

    def _succeeds(self) -> bool:
        changed = {"destination": self._scene.bucket.uri, **self._scene.changed_settings}
        changed = {f"CODEARTIFACT_{name.upper()}": value for name, value in changed.items()}
        for name, value in {**_SETTINGS, **changed}.items():
            self._scene.patch.setenv(name, value)
        with redirect_stdout(io.StringIO()) as printed:
            try:
                handler.handler(_TICK, None)
            except CodeArtifactError:
                return False
            finally:
                self._alarms.log(printed.getvalue().splitlines())
        return True


def rings(row: Row, scene: Scene, clock: Clock) -> str:
    """Run the function for hours with a row's fault, and return the alarms that report it, as the page writes them.

    :param row: the fault.
    :param scene: a scene into which nothing has been injected yet.
    :param clock: CodeArtifact's and the Lambda's.
    """
    alarms = AlarmClock(scene.patch)
    scene.short_seconds = 0.05
    scene.bucket.write_line(STANDING)
    function = _Lambda(scene, clock, alarms)
    try:
        for hours in (1.0, 0.5):
            function.tick(START - hours * HOUR)
        assert alarms.ring(START - MINUTE) == []
        clock.time = START
        row.inject(scene)
        reported = []
        for number in range(row.lasts // schedule() + 1):
            function.tick(START + number * schedule())
            reported.append(alarms.ring(START + number * schedule() + 5 * MINUTE))
    finally:
        alarms.close()
    return ", then ".join(", ".join(labels) for labels in reported if labels) or "none"
