"""How an index-url is, for people and monitors: the verdict, one sentence, and the facts behind it; no secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.destinations import facts_for
from mwaa_codeartifact.core.index_url import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from mwaa_codeartifact.core.config import Target
    from mwaa_codeartifact.core.destinations import Standing
    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.timeline import Span

Verdict = Literal["alive", "falling back", "stale", "unknown"]

# While its runs succeed the DAG leaves an hour more than this: less tells that it has missed one.
DAG_LEAVES = timedelta(hours=10)


@dataclass(frozen=True, kw_only=True)
class Status:
    """Tell how one target's index-url is; holds no secret.

    :param verdict: ``alive``, ``falling back`` (alive, but not by the DAG), ``stale`` or ``unknown``.
    :param sentence: why, and what to do.
    :param asked_at: when the destination was asked, UTC.
    :param destination: URI of the index-url file; empty when that is not set.
    :param repository: ``Target.repository_id``; empty when that is not set.
    :param facts: of the line that stands there; None when nothing does, or nothing that a refresher wrote.
    :param timeline: the last two days, the oldest first.
    :param timeline_problem: why there is no more of it (default: empty, there is all that is kept).
    """

    verdict: Verdict
    sentence: str
    asked_at: datetime
    destination: str = ""
    repository: str = ""
    facts: LineFacts | None = None
    timeline: tuple[Span, ...] = ()
    timeline_problem: str = ""

    def remaining(self, now: datetime) -> timedelta | None:
        """Give the remaining lifetime: zero where pip cannot use the line, None where nobody knows.

        :param now: UTC.
        """
        if self.verdict == "unknown":
            return None
        if not self.facts or self.facts.repository != self.repository:
            return timedelta(0)
        return max(self.facts.token_expires_at - now, timedelta(0))

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """Render as JSON types.

        :param now: UTC.
        """
        remaining = self.remaining(now)
        line = self.facts.to_metadata() if self.facts else {}
        return {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "asked_at": format_time(self.asked_at),
            "destination": self.destination,
            "repository": self.repository,
            "remaining_seconds": None if remaining is None else int(remaining.total_seconds()),
            "line": {name.replace("-", "_"): value for name, value in line.items()} or None,
            "timeline": [span.as_dict() for span in self.timeline],
            "timeline_problem": self.timeline_problem,
        }


def judge(target: Target, standing: Standing | None, now: datetime) -> tuple[Verdict, str]:
    """Tell how a line that was seen is, and in one sentence why and what to do.

    :param target: what the line should serve.
    :param standing: what stands at the destination; None when nothing does.
    :param now: UTC.
    """
    facts = facts_for(target, standing)
    if not facts or facts.token_expires_at <= now:
        what = _what_is_wrong(target, standing)
        do = "trigger the refresh DAG, and read its task's log if that fails"
        return "stale", f"{what}: pip cannot install with it; {do}."
    if facts.refreshed_by != "dag":
        what = f"its last refresh came from {facts.refreshed_by}, not from the DAG"
        do = "see that the DAG is not paused and its runs succeed"
    elif facts.token_expires_at - now < DAG_LEAVES:
        what = f"less than {DAG_LEAVES / timedelta(hours=1):g} hours are left, so the DAG has missed a run"
        do = "see why its last runs are missing or have failed"
    else:
        return "alive", "pip can install with it, and the DAG keeps it so: nothing to do."
    return "falling back", f"pip can install with it, but {what}: {do}."


def _what_is_wrong(target: Target, standing: Standing | None) -> str:
    if not standing:
        return "There is no index-url file"
    if not standing.facts:
        return "No refresher wrote the index-url file, so nobody knows how long it lives"
    if standing.facts.repository != target.repository_id:
        return f"The line serves the repository {standing.facts.repository}, not {target.repository_id}"
    return "The token in the line has expired"
