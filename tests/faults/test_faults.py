"""Every known fault: the content of the index-url file afterwards, and what a person sees."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from infra.refresher.cfn_response import _RESERVE_SECONDS
from mwaa_codeartifact.core.errors import CodeArtifactError
from tests.faults.__main__ import PAGE, page
from tests.faults.alarms import FUNCTION
from tests.faults.durations import TRIES, longest_refresh
from tests.faults.rows import ROWS
from tests.faults.support import endpoint_is
from tests.plugins.mwaa_codeartifact.core.support import answer, assert_no_token, hang_up, rendered

if TYPE_CHECKING:
    from tests.faults.support import Row, Scene
    from tests.plugins.mwaa_codeartifact.core.support import Fault


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


def test_the_page_says_what_the_rows_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/faults.md is out of date: run make generate"


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


def test_at_worst_a_refresh_ends_before_the_lambda_has_to_answer() -> None:
    assert longest_refresh() < FUNCTION["Timeout"] - _RESERVE_SECONDS
