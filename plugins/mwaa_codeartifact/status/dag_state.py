"""The state of the refresh DAG, and the problem that stops it from keeping the line valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mwaa_codeartifact.core.index_url import format_time
from mwaa_codeartifact.core.policy import DAG_MAY_BE_LATE, DAG_WITHOUT_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# States of a run that has not ended (Airflow: DagRunState).
UNDER_WAY = frozenset({"queued", "running"})


class Run(NamedTuple):
    """One run of the DAG, as Airflow's database or its REST API has it.

    :param state: ``queued``, ``running``, ``success`` or ``failed``.
    :param begun_at: when it was queued or started, UTC.
    :param ended_at: when it ended, UTC; None while it is under way.
    """

    state: str
    begun_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DagState:
    """The state of the refresh DAG in Airflow.

    :param exists: whether Airflow has ever parsed it (default: True).
    :param is_active: whether it is still in its file (default: True).
    :param has_import_errors: whether its file cannot be imported now (default: False).
    :param is_paused: whether it is paused (default: False).
    :param running_since: since when a run is queued or running, UTC; None if no run is (default).
    :param is_retrying: whether that run's task has failed and waits for its next try (default: False).
    :param last_run_state: state of the run that ended last, ``success`` or ``failed``; None if none has (default).
    :param last_run_ended_at: when that run ended, UTC (default: None).
    :param last_success_at: when a run last succeeded, UTC; None if none of the last runs did (default).
    :param next_run_at: when the next run is due, UTC; None if none is scheduled (default).
    """

    exists: bool = True
    is_active: bool = True
    has_import_errors: bool = False
    is_paused: bool = False
    running_since: datetime | None = None
    is_retrying: bool = False
    last_run_state: str | None = None
    last_run_ended_at: datetime | None = None
    last_success_at: datetime | None = None
    next_run_at: datetime | None = None

    @classmethod
    def from_runs(cls, runs: Iterable[Run], **known: Any) -> Self:
        """Build the state from the latest runs. A cleared run ends a second time, so the last end counts.

        :param runs: the latest runs, in any order.
        :param known: the other fields.
        """
        runs = list(runs)
        ended = [(run.ended_at, run.state) for run in runs if run.state not in UNDER_WAY and run.ended_at]
        last_end, last_state = max(ended, default=(None, None))
        return cls(
            running_since=min((run.begun_at for run in runs if run.state in UNDER_WAY and run.begun_at), default=None),
            last_run_state=last_state,
            last_run_ended_at=last_end,
            last_success_at=max((end for end, state in ended if state == "success"), default=None),
            **known,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON types."""
        return {
            name: format_time(value) if isinstance(value, datetime) else value for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class Problem:
    """Why the DAG will not keep the line valid.

    :param reason: the problem's name, a row of docs/status-page.md.
    :param what: what is wrong, a clause without a full stop.
    :param fix: what to do, likewise.
    """

    reason: str
    what: str
    fix: str


def problem_of(dag: DagState, now: datetime) -> Problem | None:
    """Return the first problem of the DAG, or None.

    :param dag: the DAG's state.
    :param now: UTC.
    """
    return next(_problems(dag, now), None)


def _problems(dag: DagState, now: datetime) -> Iterator[Problem]:
    """Yield the DAG's problems, each cause before its consequences."""
    read_log = "read the log of its task refresh_index_url"
    if not dag.exists:
        yield Problem(
            "no such DAG", "Airflow has no refresh DAG", "check that its file is in dags/ and has no import error"
        )
    if not dag.is_active:
        yield Problem(
            "gone",
            "the refresh DAG is gone from Airflow's list",
            "check that its file is in dags/ and no .airflowignore excludes it",
        )
    if dag.has_import_errors:
        yield Problem(
            "import error", "the refresh DAG's file cannot be imported", "fix the import error that Airflow shows"
        )
    if dag.is_paused:
        yield Problem("paused", "the refresh DAG is paused", "unpause it")
    if dag.last_run_state == "failed":
        yield Problem("failed", f"the refresh DAG's last run failed{_under_way(dag)}", read_log)
    if dag.is_retrying:
        yield Problem("retrying", "the task of the refresh DAG's run has failed and waits for its next try", read_log)
    if _is_before(dag.last_success_at or dag.running_since, now - DAG_WITHOUT_SUCCESS):
        what = f"no run of the refresh DAG has succeeded {_for_how_long(dag)}{_under_way(dag)}"
        yield Problem("no success", what, "find out why its runs are missing, are waiting or take so long")
    if not dag.running_since:
        yield from _problems_of_the_schedule(dag, now)


def _problems_of_the_schedule(dag: DagState, now: datetime) -> Iterator[Problem]:
    if dag.next_run_at and _is_before(dag.next_run_at, now - DAG_MAY_BE_LATE):
        what = f"the refresh DAG's run of {_moment(dag.next_run_at)} has not started"
        yield Problem("overdue", what, "check that the scheduler is running")
    if not dag.next_run_at and (not dag.last_run_ended_at or _is_before(dag.last_run_ended_at, now - DAG_MAY_BE_LATE)):
        yield Problem("not scheduled", "no run of the refresh DAG is scheduled", "check that its schedule is @hourly")


def _is_before(moment: datetime | None, other: datetime) -> bool:
    return moment is not None and moment < other


def _under_way(dag: DagState) -> str:
    return " (a run is under way)" if dag.running_since else ""


def _for_how_long(dag: DagState) -> str:
    return f"since {_moment(dag.last_success_at)}" if dag.last_success_at else "yet"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
