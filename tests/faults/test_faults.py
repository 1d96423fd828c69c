"""Every fault we can think of: what the index-url file holds afterwards, and what a person sees."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra import ROOT
from mwaa_codeartifact.core.connections import _RETRIES, _TIMEOUT, CLIENT_CONFIG
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.core.refresh import _PUBLISH_ATTEMPTS
from tests.faults.__main__ import PAGE, page
from tests.faults.rows import ROWS
from tests.faults.support import Alarm, Holds, endpoint_is
from tests.plugins.mwaa_codeartifact.core.support import answer, assert_no_token, hang_up, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.support import Row, Scene
    from tests.plugins.mwaa_codeartifact.core.support import Fault

REFRESHER_STACK = ROOT / "infra" / "cloudformation" / "refresher.yaml"
REFRESH_DAG = ROOT / "dags" / "refresh_codeartifact_index_url.py"
TRIES: int = cast("Any", CLIENT_CONFIG).retries["total_max_attempts"]
# What infra/refresher/cfn_response.py keeps to answer CloudFormation.
_RESERVE_SECONDS = 10


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_after_a_fault_the_file_holds(scene: Scene, row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    row.inject(scene)
    before = scene.look()
    error = None
    try:
        scene.run()
    except CodeArtifactError as caught:
        error = caught
    scene.expect(row.holds, before)
    told = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("mwaa_codeartifact"))
    assert row.sees in (str(error) if error else told)
    if scene.aws.state.minted:
        assert_no_token(scene.aws.state, rendered(error) if error else "", caplog.text)
    if row.holds is Holds.NEW:
        # After an error the next run finds the new line, and is content.
        assert row.alarm in ({Alarm.NONE} if error else {Alarm.FALLBACK, Alarm.SHORT})
    else:
        assert (row.alarm is Alarm.ERRORS) == bool(error)


def test_the_page_says_what_the_rows_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/faults.md is out of date: run make generate"


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 30


@pytest.mark.parametrize(
    ("alarm", "logical_id"),
    [
        ("fallback", "FallbackUsed"),
        ("refresher errors", "RefresherFailing"),
        ("remaining lifetime < 6 h", "RemainingLifetimeLow"),
    ],
)
def test_every_alarm_of_the_table_is_in_the_template(alarm: str, logical_id: str) -> None:
    assert any(alarm in row.alarm.value for row in ROWS)
    assert f"\n  {logical_id}:\n    Type: AWS::CloudWatch::Alarm\n" in REFRESHER_STACK.read_text(encoding="utf-8")


@pytest.mark.parametrize("step", ["head", "endpoint", "mint", "verify", "put"])
@pytest.mark.parametrize(
    "fault",
    [answer(429, "ThrottlingException", Retry_After="60"), hang_up],
    ids=["throttled", "closed"],
)
def test_a_call_that_fails_for_the_moment_is_tried_3_times_and_no_more(scene: Scene, step: str, fault: Fault) -> None:
    scene.always(step, fault)
    with pytest.raises(CodeArtifactError):
        scene.run()
    assert Counter(scene.aws.steps)[step] == TRIES == 3
    assert all(count == 1 for other, count in Counter(scene.aws.steps).items() if other != step)


def test_the_repositorys_new_endpoint_is_the_one_in_the_line(scene: Scene) -> None:
    scene.at("endpoint", endpoint_is(scene.other_endpoint))
    scene.run()
    assert b"@localhost:" in scene.bucket.read()


# Time


def _seconds_of_a_call() -> float:
    """Give the longest that botocore can take for one call (standard mode: waits of at most 1, 2, 4 … seconds)."""
    config: Any = CLIENT_CONFIG
    waits = sum(2**wait for wait in range(TRIES - 1))
    return float(TRIES * (config.connect_timeout + config.read_timeout) + waits)


def _seconds_of_verify() -> float:
    """Return the longest that its three GETs take."""
    tries = int(_RETRIES.total or 0) + 1
    waits = sum(_RETRIES.backoff_factor * float(2**wait) for wait in range(1, tries - 1))
    timeout: Any = _TIMEOUT
    return 3 * float(tries * (timeout.connect_timeout + timeout.read_timeout) + waits)


def _number(path: Path, pattern: str) -> int:
    found = re.findall(pattern, path.read_text(encoding="utf-8"))
    assert len(found) == 1, f"{pattern} is in {path} {len(found)} times"
    return int(found[0])


def test_at_worst_a_refresh_ends_before_the_lambda_has_to_answer() -> None:
    # head, endpoint, mint, put, and the head that follows a put whose answer was lost.
    seconds = 5 * _seconds_of_a_call() + _seconds_of_verify()
    assert seconds < _number(REFRESHER_STACK, r"\n      Timeout: (\d+)") - _RESERVE_SECONDS


def test_at_worst_a_refresh_with_every_attempt_to_publish_ends_before_the_operator_does() -> None:
    seconds = (3 + 2 * _PUBLISH_ATTEMPTS) * _seconds_of_a_call() + _seconds_of_verify()
    assert seconds < 60 * _number(REFRESH_DAG, r'"execution_timeout": timedelta\(minutes=(\d+)\)')
