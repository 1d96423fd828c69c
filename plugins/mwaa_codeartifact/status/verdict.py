"""How an index-url is, for people and monitors: the verdict, one sentence, and the facts behind it; no secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.destinations import facts_for
from mwaa_codeartifact.core.index_url import format_time
from mwaa_codeartifact.status.dag_state import Problem, problem_of

if TYPE_CHECKING:
    from datetime import datetime

    from mwaa_codeartifact.core.destinations import Standing
    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.timeline import Span

Verdict = Literal["alive", "at risk", "falling back", "stale", "unknown"]
# The verdicts on a line with which pip can install now.
USABLE: frozenset[Verdict] = frozenset({"alive", "at risk", "falling back"})

# While its runs succeed the DAG leaves an hour more than this: less shows that it has missed one.
DAG_LEAVES = timedelta(hours=10)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the rule says of a line.

    :param verdict: ``alive``; ``at risk`` (pip can install, but the DAG will not keep it so); ``falling back`` (the
        same, and another refresher has stepped in already); ``stale`` (pip cannot install); ``unknown``.
    :param reason: the state's name, a row of docs/status-page.md.
    :param sentence: why, and what to do.
    :param dag_keeps_it: whether the DAG goes on refreshing the line; None where that is not known.
    """

    verdict: Verdict
    reason: str
    sentence: str
    dag_keeps_it: bool | None = None

    @classmethod
    def unknown(cls, reason: str, sentence: str) -> Judgement:
        """Return the verdict on a line that could not be looked at.

        :param reason: see the class.
        :param sentence: see the class.
        """
        return cls(verdict="unknown", reason=reason, sentence=sentence)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How one target's index-url is; holds no secret.

    :param judgement: what the rule says.
    :param asked_at: when the destination was asked, UTC.
    :param destination: URI of the index-url file; empty when that is not set.
    :param repository: ``Target.repository_id``; empty when that is not set.
    :param facts: of the line that stands there; None when nothing does, or nothing that a refresher wrote.
    :param timeline: the last two days, the oldest first.
    :param timeline_problem: why there is no more of it (default: empty, there is all that is kept).
    """

    judgement: Judgement
    asked_at: datetime
    destination: str = ""
    repository: str = ""
    facts: LineFacts | None = None
    timeline: tuple[Span, ...] = ()
    timeline_problem: str = ""

    @property
    def verdict(self) -> Verdict:
        """The judgement's verdict."""
        return self.judgement.verdict

    @property
    def sentence(self) -> str:
        """The judgement's sentence."""
        return self.judgement.sentence

    def remaining(self, now: datetime) -> timedelta | None:
        """Return the remaining lifetime: zero where pip cannot use the line, None where nobody knows.

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
        return vars(self.judgement) | {
            "asked_at": format_time(self.asked_at),
            "destination": self.destination,
            "repository": self.repository,
            "remaining_seconds": None if remaining is None else int(remaining.total_seconds()),
            "line": {name.replace("-", "_"): value for name, value in line.items()} or None,
            "timeline": [span.as_dict() for span in self.timeline],
            "timeline_problem": self.timeline_problem,
        }


def judge(target: Target, standing: Standing | None, dag: DagState | None, now: datetime) -> Judgement:
    """Return the verdict on a line that was seen, with its reason and one sentence.

    The only rule: the page, its JSON, `make status` and every other reader take the verdict from here.

    :param target: what the line should serve.
    :param standing: what stands at the destination; None when nothing does.
    :param dag: what Airflow knows of the refresh DAG; None where that is not known, as outside Airflow.
    :param now: UTC.
    """
    problem = problem_of(dag, now) if dag else None
    dag_keeps_it = None if dag is None else not problem
    facts = facts_for(target, standing)
    if not facts or facts.token_expires_at <= now:
        reason, what = _why_unusable(target, standing)
        fix = f"{problem.what}: {problem.fix}" if problem else _bring_it_back(dag)
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
        reason, clause = "kept so far", "the DAG refreshed it last; how the DAG is now is not known here"
    elif dag.last_success_at:
        reason, clause = "kept", "the DAG keeps it so: nothing to do"
    else:
        reason, clause = "first run to come", "the DAG keeps it so from its first run on: nothing to do"
    sentence = f"pip can install with it, and {clause}."
    return Judgement(verdict="alive", reason=reason, sentence=sentence, dag_keeps_it=True if dag else None)


def _sign_of_missed_runs(facts: LineFacts, dag: DagState | None, now: datetime) -> Problem | None:
    """Return the problem that the line alone shows: the DAG has not refreshed it in time."""
    if facts.token_expires_at - now < DAG_LEAVES:
        what = f"less than {DAG_LEAVES / timedelta(hours=1):g} hours are left, so the DAG has missed a run"
        fix = "see why its last runs are missing or have failed, and that they refresh this destination"
        return Problem("few hours left", what, fix)
    if not dag and facts.refreshed_by != "dag":
        what = f"its last refresh came from {facts.refreshed_by}, and how the DAG is now is not known here"
        return Problem("refreshed by another", what, "see on the status page that the DAG is well")
    return None


def _bring_it_back(dag: DagState | None) -> str:
    if dag and dag.running_since:
        return "a run of the refresh DAG is under way: wait for its end, and read its task's log if it fails"
    return "trigger the refresh DAG, and read its task's log if that fails"


def _why_unusable(target: Target, standing: Standing | None) -> tuple[str, str]:
    if not standing:
        return "no file", "There is no index-url file"
    if not standing.facts:
        return "by hand", "No refresher wrote the index-url file, so nobody knows how long it lives"
    if standing.facts.repository != target.repository_id:
        served = f"The line serves the repository {standing.facts.repository}, not {target.repository_id}"
        return "other repository", served
    return "expired", "The token in the line has expired"
