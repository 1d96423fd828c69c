"""Many refreshers at once, in every order of their calls that chance comes upon.

The invariant, for one repository: **the expiry in the file never decreases; of the refreshers that saw the same line
exactly one replaces it; and whenever a refresher ends without an error, the current line is valid, with the remaining
lifetime that this refresher looks after.** Clocks are at most 15 minutes off, since S3 refuses others, and a run takes
5 minutes at most, since then Lambda and Airflow end it.
"""

from __future__ import annotations

import itertools
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.refresh import refresh
from tests.faults.in_a_process import take_part
from tests.faults.interleaving import MIN_REMAINING, Bucket, Run
from tests.faults.support import lose
from tests.plugins.mwaa_codeartifact.core.support import KEY, REPOSITORY_ID, START, answer, line_metadata

if TYPE_CHECKING:
    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.refresh import Refresher
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Bucket as S3Bucket
    from tests.plugins.mwaa_codeartifact.core.support import Clock, RecordedAws

# The same examples at every run.
EXAMPLES = settings(derandomize=True, database=None, deadline=None, max_examples=150)
LONGEST_RUN = timedelta(minutes=5)
REFRESHERS = 8
ROUNDS = [START + timedelta(hours=5) * number for number in range(4)]


class Refreshers(RuleBasedStateMachine):
    """Start, step and kill refreshers, let time pass, and meddle with the file."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Bucket()
        self.runs: list[Run] = []
        self.count = 0

    @initialize(hours=st.sampled_from([-1, 0, 2, 9, 12]))
    def another_line_stands(self, hours: int) -> None:
        facts = LineFacts.from_metadata(line_metadata(START + timedelta(hours=hours)))
        self.bucket.put("first", facts, replacing=None)

    @rule(
        refresher=st.sampled_from(list(MIN_REMAINING)),
        skew=st.integers(-15, 15),
        life=st.sampled_from([12 * 60, 12 * 60, 6 * 60, 60, 15]),
        fails=st.sampled_from(["", "", "", "head", "mint", "verify", "put"]),
        loses=st.sampled_from([0, 0, 1, 2]),
    )
    def start(self, refresher: Refresher, skew: int, life: int, fails: str, loses: int) -> None:
        self.count += 1
        minutes = timedelta(minutes=1)
        self.runs.append(Run(self.bucket, self.count, refresher, skew * minutes, life * minutes, fails, loses))

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 99), steps=st.integers(1, 5))
    def step(self, which: int, steps: int) -> None:
        run = self.runs[which % len(self.runs)]
        for _ in range(steps):
            run.step()
            self.settle(run)
            if run.ended:
                self.runs.remove(run)
                return

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, 99))
    def kill(self, which: int) -> None:
        self.runs.pop(which % len(self.runs)).kill()

    @rule(minutes=st.sampled_from([0, 1, 2, 4, 60, 240, 780]), seconds=st.integers(0, 59))
    def time_passes(self, minutes: int, seconds: int) -> None:
        self.bucket.now += timedelta(minutes=minutes, seconds=seconds)
        for run in [run for run in self.runs if self.bucket.now - run.started > LONGEST_RUN]:
            self.runs.remove(run)
            run.kill()

    @rule()
    def somebody_deletes_the_file(self) -> None:
        self.bucket.delete()

    @rule()
    def somebody_writes_the_file_by_hand(self) -> None:
        self.bucket.put(f"by hand {self.bucket.now}", None, replacing=self.bucket.standing)

    @invariant()
    def the_expiry_never_decreases_and_no_token_is_published_twice(self) -> None:
        expiries = [facts.token_expires_at for facts in self.bucket.versions]
        assert all(earlier < later for earlier, later in itertools.pairwise(expiries))
        assert len({facts.token_fingerprint for facts in self.bucket.versions}) == len(expiries)

    def settle(self, run: Run) -> None:
        """Check the current line when a refresher has ended without an error."""
        assert run.failed_as_it_may, repr(run.error)
        if not run.result:
            return
        standing = self.bucket.standing
        assert standing
        assert standing.facts == run.result.facts == self.bucket.versions[-1]
        assert standing.facts.repository == REPOSITORY_ID
        remaining = standing.facts.token_expires_at - self.bucket.now
        assert remaining >= min(run.min_remaining + run.skew, run.life - LONGEST_RUN)
        if run.refresher != "startup":
            assert remaining > timedelta(0)
        if run.result.state == "published":
            assert standing.version_id == run.result.version_id

    def teardown(self) -> None:
        for run in self.runs:
            run.kill()


Refreshers.TestCase.settings = settings(EXAMPLES, stateful_step_count=40)
TestInterleavings = Refreshers.TestCase


@EXAMPLES
@given(
    lost=st.lists(st.sampled_from([0, 0, 1]), min_size=2, max_size=6),
    order=st.lists(st.integers(0, 5), max_size=40),
)
def test_of_refreshers_that_see_the_same_line_exactly_one_publishes(lost: list[int], order: list[int]) -> None:
    bucket = Bucket()
    runs = [Run(bucket, number, loses=loses) for number, loses in enumerate(lost)]
    for run in runs:
        run.step()  # the HEAD of each: nothing is there
    for number in order:
        runs[number % len(runs)].step()
    for run in runs:
        run.finish()
    states = [run.result.state if run.result else repr(run.error) for run in runs]
    assert sorted(states) == ["published", *["superseded"] * (len(runs) - 1)]
    assert len(bucket.versions) == 1


def test_of_tokens_minted_within_one_second_the_first_one_published_stays() -> None:
    # The metadata tells seconds, CodeArtifact milliseconds.
    bucket = Bucket()
    lives = [timedelta(hours=12, milliseconds=900), timedelta(hours=12, milliseconds=100)]
    runs = [Run(bucket, number, life=life) for number, life in enumerate(lives)]
    for run in runs:
        run.step()
    for run in runs:
        run.finish()
    assert [run.result and run.result.state for run in runs] == ["published", "superseded"]


def _assert_one_version_a_round(bucket: S3Bucket, states: list[str]) -> None:
    """Read the rounds from the object's versions."""
    versions = bucket.s3.list_object_versions(Bucket=bucket.name, Prefix=KEY)["Versions"]
    heads = [bucket.s3.head_object(Bucket=bucket.name, Key=KEY, VersionId=each["VersionId"]) for each in versions]
    expiries = [datetime.fromisoformat(head["Metadata"]["token-expires-at"]) for head in reversed(heads)]
    assert expiries == [moment + timedelta(hours=12) for moment in ROUNDS]
    assert states.count("published") == len(ROUNDS), states
    assert set(states) <= {"published", "superseded", "fresh"}


def _disturb(aws: RecordedAws) -> None:
    """Lose the answer to one write, and refuse another for no reason."""
    lost = lose(then=answer(503, "ServiceUnavailable"))
    aws.at("put", answer(409, "ConditionalRequestConflict"), lost)


def test_threads_publish_one_version_a_round(
    recorded_aws: RecordedAws, bucket: S3Bucket, target: Target, connections: BotoConnections, clock: Clock
) -> None:
    def run(_: int) -> str:
        return refresh(
            target, refresher="dag", min_remaining=timedelta(hours=8), connections=connections, now=clock
        ).state

    states: list[str] = []
    with ThreadPoolExecutor(REFRESHERS) as pool:
        for clock.time in ROUNDS:
            _disturb(recorded_aws)
            states += pool.map(run, range(REFRESHERS))
    _assert_one_version_a_round(bucket, states)


def test_processes_publish_one_version_a_round(
    recorded_aws: RecordedAws, bucket: S3Bucket, target: Target, clock: Clock
) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, states = context.Barrier(REFRESHERS + 1), context.Queue()
    arguments = (target, recorded_aws.url, ROUNDS, barrier, states)
    processes = [context.Process(target=take_part, args=arguments, daemon=True) for _ in range(REFRESHERS)]
    for process in processes:
        process.start()
    try:
        for clock.time in ROUNDS:
            _disturb(recorded_aws)
            barrier.wait(60)
            barrier.wait(60)
        seen = [states.get(timeout=10) for _ in range(REFRESHERS * len(ROUNDS))]
    finally:
        barrier.abort()
        for process in processes:
            process.join(10)
            process.kill()
    _assert_one_version_a_round(bucket, seen)
