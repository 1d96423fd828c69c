"""The status of an index-url for people and monitors: the verdict, one sentence, and the facts; no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.destinations import facts_for
from mwaa_codeartifact.core.freshness import usable_lifetime
from mwaa_codeartifact.core.index_url import format_time
from mwaa_codeartifact.core.policy import DAG_MISSED_BELOW, in_hours
from mwaa_codeartifact.status.dag_state import Problem, problem_of

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from mwaa_codeartifact.core.destinations import StoredFile
    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.timeline import Span

Verdict = Literal["alive", "at risk", "falling back", "stale", "unknown"]
# The verdicts on a line with which pip can install now.
USABLE: frozenset[Verdict] = frozenset({"alive", "at risk", "falling back"})


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict on a line, and why.

    :param verdict: ``alive``; ``at risk`` (pip can install, but the DAG will not keep it so); ``falling back`` (the
        same, and another refresher has already stepped in); ``stale`` (pip cannot install); ``unknown``.
    :param reason: the state's name, a row of docs/status-page.md.
    :param sentence: why, and what to do.
    :param dag_keeps_it: whether the DAG will go on refreshing the line; None if that is not known.
    """

    verdict: Verdict
    reason: str
    sentence: str
    dag_keeps_it: bool | None = None

    @classmethod
    def unknown(cls, reason: str, sentence: str) -> Judgement:
        """Return the verdict on a line that could not be read.

        :param reason: see the class.
        :param sentence: see the class.
        """
        return cls(verdict="unknown", reason=reason, sentence=sentence)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of one target; contains no secret.

    :param judgement: the verdict, and why.
    :param asked_at: when the destination was read, UTC.
    :param target: the target; None if its settings are incomplete (default).
    :param facts: of the line at the destination; None if there is none, or if no refresher wrote it (default).
    :param timeline: the last two days, the oldest first (default: empty).
    :param timeline_problem: why the timeline is incomplete (default: empty, it is complete).
    """

    judgement: Judgement
    asked_at: datetime
    target: Target | None = None
    facts: LineFacts | None = None
    timeline: tuple[Span, ...] = ()
    timeline_problem: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return the judgement's verdict."""
        return self.judgement.verdict

    @property
    def sentence(self) -> str:
        """Return the judgement's sentence."""
        return self.judgement.sentence

    def remaining(self, now: datetime) -> timedelta | None:
        """Return the remaining lifetime: zero if pip cannot use the line, None if that is not known.

        :param now: UTC.
        """
        if self.target is None or self.verdict == "unknown":
            return None
        return usable_lifetime(self.facts, self.target.repository.id, now)

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """Return the status as JSON types.

        :param now: UTC.
        """
        remaining = self.remaining(now)
        line = self.facts.to_metadata() if self.facts else {}
        return vars(self.judgement) | {
            "asked_at": format_time(self.asked_at),
            "destination": self.target.destination if self.target else "",
            "repository": self.target.repository.id if self.target else "",
            "remaining_seconds": None if remaining is None else int(remaining.total_seconds()),
            "line": {name.replace("-", "_"): value for name, value in line.items()} or None,
            "timeline": [span.as_dict() for span in self.timeline],
            "timeline_problem": self.timeline_problem,
        }


def judge(target: Target, stored: StoredFile | None, dag: DagState | None, now: datetime) -> Judgement:
    """Return the verdict on a line, with its reason and one sentence.

    This is the only rule: the page, its JSON, `make status` and every other reader use it.

    :param target: the target.
    :param stored: the file at its destination; None if there is none.
    :param dag: the state of the refresh DAG; None if it is not known, as outside Airflow.
    :param now: UTC.
    """
    problem = problem_of(dag, now) if dag else None
    dag_keeps_it = None if dag is None else not problem
    facts = facts_for(target, stored)
    if not facts or not usable_lifetime(facts, target.repository.id, now):
        reason, what = _why_unusable(target, stored)
        fix = f"{problem.what}: {problem.fix}" if problem else _how_to_refresh(dag)
        sentence = f"{what}: pip cannot install with it; {fix}."
        return Judgement(verdict="stale", reason=reason, sentence=sentence, dag_keeps_it=dag_keeps_it)
    problem = problem or _sign_of_missed_runs(facts, dag, now)
    if problem:
        return Judgement(
            verdict="at risk" if facts.refreshed_by == "dag" else "falling back",
            reason=problem.reason,
            sentence=f"pip can install with it, but {problem.what}: {problem.fix}.",
            dag_keeps_it=False if dag else None,
        )
    return _alive(dag)


def _alive(dag: DagState | None) -> Judgement:
    if not dag:
        reason, clause = "kept so far", "the DAG refreshed it last; the state of the DAG is not known here"
    elif dag.last_success_at:
        reason, clause = "kept", "the DAG keeps it so: nothing to do"
    else:
        reason, clause = "first run to come", "the DAG keeps it so from its first run on: nothing to do"
    sentence = f"pip can install with it, and {clause}."
    return Judgement(verdict="alive", reason=reason, sentence=sentence, dag_keeps_it=True if dag else None)


def _sign_of_missed_runs(facts: LineFacts, dag: DagState | None, now: datetime) -> Problem | None:
    """Return the problem that the line alone shows: the DAG has not refreshed it in time."""
    if facts.remaining(now) < DAG_MISSED_BELOW:
        what = f"less than {in_hours(DAG_MISSED_BELOW)} hours are left, so the DAG has missed a run"
        fix = "find out why its last runs are missing or have failed, and check that they refresh this destination"
        return Problem("few hours left", what, fix)
    if not dag and facts.refreshed_by != "dag":
        what = f"its last refresh came from {facts.refreshed_by}, and the state of the DAG is not known here"
        return Problem("refreshed by another", what, "check on the status page that the DAG's runs succeed")
    return None


def _how_to_refresh(dag: DagState | None) -> str:
    if dag and dag.running_since:
        return "a run of the refresh DAG is under way: wait for its end, and read its task's log if it fails"
    return "trigger the refresh DAG, and read its task's log if that fails"


def _why_unusable(target: Target, stored: StoredFile | None) -> tuple[str, str]:
    if not stored:
        return "no file", "There is no index-url file"
    if not stored.facts:
        return "by hand", "No refresher wrote the index-url file, so its expiry is not known"
    if not stored.facts.serves(target.repository.id):
        served = f"The line serves the repository {stored.facts.repository}, not {target.repository.id}"
        return "other repository", served
    return "expired", "The token in the line has expired"
