"""The whole protocol against HTTP stand-ins: the requests to AWS, and the file at the destination afterwards."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Response

from mwaa_codeartifact.core.errors import DestinationError, MintError, TokenRejectedError, VerifyError
from mwaa_codeartifact.core.refresh import refresh
from tests.plugins.mwaa_codeartifact.core.support import (
    BY_HAND,
    DOMAIN,
    KEY,
    OTHER_LINE,
    OWNER,
    REGION,
    REPOSITORY,
    REPOSITORY_ID,
    STALE,
    START,
    after,
    answer,
    assert_no_token,
    hang_up,
    rendered,
)
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.refresh import RefreshResult
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, Clock, RecordedAws

    Run = Callable[..., RefreshResult]

WHOLE_PROTOCOL = ["head", "endpoint", "mint", "verify", "control", "put"]
HOUR = timedelta(hours=1)
IN_12_HOURS = START + 12 * HOUR


@pytest.fixture
def run(target: Target, connections: BotoConnections, clock: Clock) -> Run:
    def run(hours: float = 8, target: Target = target, conceal: Callable[[str], object] = id) -> RefreshResult:
        return refresh(
            target, refresher="lambda", min_remaining=hours * HOUR, connections=connections, now=clock, conceal=conceal
        )

    return run


# Fresh


def test_a_fresh_line_is_kept_after_one_head(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bucket.write_line(START + 8 * HOUR)
    result = run(8)
    assert (result.state, result.facts.refreshed_by, result.facts.token_expires_at) == (
        "fresh",
        "dag",
        START + 8 * HOUR,
    )
    assert aws.steps == ["head"]
    assert aws.state.minted == []


def test_a_line_one_second_short_of_the_minimum_is_refreshed(run: Run, bucket: Bucket) -> None:
    bucket.write_line(START + 8 * HOUR - timedelta(seconds=1))
    assert run(8).state == "published"


def test_a_minimum_of_0_hours_does_not_replace_a_valid_line(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bucket.write_line(START + timedelta(seconds=1))
    assert run(0).state == "fresh"
    assert aws.steps == ["head"]


def test_a_minimum_of_0_hours_replaces_a_line_at_the_moment_of_its_expiry(run: Run, bucket: Bucket) -> None:
    bucket.write_line(START)
    assert run(0).state == "published"


def test_a_minimum_of_12_hours_refreshes_at_once(run: Run, clock: Clock) -> None:
    run(12)
    clock.time += timedelta(seconds=1)
    assert run(12).state == "published"


# Published


def test_the_first_line_is_minted_verified_and_published_if_there_is_no_file(run: Run, aws: RecordedAws) -> None:
    assert run().state == "published"
    assert aws.steps == WHOLE_PROTOCOL
    put = aws.only("put")
    assert put.headers["If-None-Match"] == "*"
    assert "If-Match" not in put.headers


def test_a_stale_line_is_replaced_only_if_it_has_not_changed_since_it_was_read(
    run: Run, aws: RecordedAws, bucket: Bucket
) -> None:
    etag = bucket.write_line(STALE)
    assert run().state == "published"
    put = aws.only("put")
    assert put.headers["If-Match"] == etag
    assert "If-None-Match" not in put.headers


def test_the_file_is_a_comment_and_the_index_url_byte_for_byte(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    run()
    (token,) = aws.state.minted
    fingerprint = hashlib.sha256(token.encode()).hexdigest()[:12]
    host = aws.url.removeprefix("http://")
    expected = (
        "# CodeArtifact index-url: token-expires-at=2030-01-01T12:00:00Z, refreshed-at=2030-01-01T00:00:00Z, "
        f"refreshed-by=lambda, token-fingerprint={fingerprint}, repository=eu-west-1/123456789012/data/python\n"
        f"--index-url http://aws:{token}@{host}/data-123456789012.eu-west-1/pypi/python/simple/\n"
    )
    assert aws.only("put").body == bucket.read() == expected.encode()


def test_the_metadata_contains_the_same_facts_as_the_comment(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    run()
    (token,) = aws.state.minted
    assert bucket.metadata() == {
        "token-expires-at": "2030-01-01T12:00:00Z",
        "refreshed-at": "2030-01-01T00:00:00Z",
        "refreshed-by": "lambda",
        "token-fingerprint": hashlib.sha256(token.encode()).hexdigest()[:12],
        "repository": REPOSITORY_ID,
    }


def test_the_result_has_state_expiry_fingerprint_version_and_durations_as_json(
    run: Run, aws: RecordedAws, bucket: Bucket
) -> None:
    result = json.loads(json.dumps(run().as_dict()))
    durations = result.pop("durations_seconds")
    assert list(durations) == ["head", "mint", "verify", "publish"]
    assert all(0 <= seconds < 10 for seconds in durations.values())
    assert result == {
        "state": "published",
        "destination": bucket.uri,
        "facts": {
            "token_expires_at": "2030-01-01T12:00:00Z",
            "refreshed_at": "2030-01-01T00:00:00Z",
            "refreshed_by": "lambda",
            "token_fingerprint": hashlib.sha256(aws.state.minted[0].encode()).hexdigest()[:12],
            "repository": REPOSITORY_ID,
        },
        "version_id": bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"][0]["VersionId"],
    }


def test_a_published_line_is_fresh_to_the_next_refresher(run: Run, aws: RecordedAws) -> None:
    published = run()
    assert replace(run(), state="published", durations_seconds=published.durations_seconds) == published
    assert aws.steps == [*WHOLE_PROTOCOL, "head"]


def test_a_deleted_file_is_back_after_one_refresh(run: Run, bucket: Bucket) -> None:
    run()
    body = bucket.read()
    bucket.s3.delete_object(Bucket=bucket.name, Key=KEY)
    assert run().state == "published"
    assert bucket.read() != body


def test_pip_downloads_through_the_published_file(run: Run, aws: RecordedAws, bucket: Bucket, tmp_path: Path) -> None:
    name, content = wheel("tiny", "1.0")
    aws.state.repository(DOMAIN, REPOSITORY).publish("tiny", name, content)
    run()
    (tmp_path / "codeartifact.txt").write_bytes(bucket.read())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_NO_INPUT": "1"}
    command = [sys.executable, "-m", "pip", "download", "--dest", "downloads", "-r", "codeartifact.txt", "tiny==1.0"]
    pip = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert pip.returncode == 0, pip.stderr
    assert (tmp_path / "downloads" / name).read_bytes() == content
    assert_no_token(aws.state, pip.stdout, pip.stderr)


# Always stale


@pytest.mark.parametrize(
    "changes",
    [
        {"token_expires_at": "in a while"},
        {"token_expires_at": "2030-01-01T12:00:00"},
        {"token_expires_at": ""},
        {"refreshed_at": "yesterday"},
        {"refreshed_at": ""},
        {"refreshed_by": ""},
        {"token_fingerprint": ""},
        {"repository": ""},
    ],
    ids=str,
)
def test_a_line_with_missing_or_nonsense_metadata_is_stale(run: Run, bucket: Bucket, changes: dict[str, str]) -> None:
    bucket.write_line(IN_12_HOURS, **changes)
    assert run().state == "published"
    assert bucket.metadata()["refreshed-by"] == "lambda"


@pytest.mark.parametrize(
    "other",
    [
        "us-east-1/123456789012/data/python",
        "eu-west-1/210987654321/data/python",
        "eu-west-1/123456789012/other/python",
        "eu-west-1/123456789012/data/another",
    ],
)
def test_a_longer_lived_line_of_another_repository_is_stale(run: Run, bucket: Bucket, other: str) -> None:
    bucket.write_line(START + 24 * HOUR, repository=other)
    assert run().state == "published"
    assert bucket.metadata()["repository"] == REPOSITORY_ID


# Races


@pytest.mark.parametrize("lost_with", [None, answer(409, "ConditionalRequestConflict")], ids=["412", "409"])
@pytest.mark.parametrize("lives_longer", [timedelta(0), HOUR])
def test_another_line_that_expires_no_earlier_supersedes_ours(
    run: Run,
    aws: RecordedAws,
    bucket: Bucket,
    lost_with: Callable[[Callable[[], Response]], Response],
    lives_longer: timedelta,
) -> None:
    aws.at("put", after(lambda: bucket.write_line(IN_12_HOURS + lives_longer), then=lost_with))
    result = run()
    assert (result.state, result.facts.refreshed_by) == ("superseded", "dag")
    assert result.facts.token_expires_at == IN_12_HOURS + lives_longer
    assert aws.steps == [*WHOLE_PROTOCOL, "head"]
    assert bucket.versions() == [OTHER_LINE]


def test_another_line_that_expires_sooner_is_replaced_by_a_second_attempt(
    run: Run, aws: RecordedAws, bucket: Bucket
) -> None:
    etags: list[str] = []
    aws.at("put", after(lambda: etags.append(bucket.write_line(IN_12_HOURS - timedelta(seconds=1)))))
    assert run().state == "published"
    assert aws.steps == [*WHOLE_PROTOCOL, "head", "put"]
    assert aws.seen[-1].headers["If-Match"] == etags[0]


def test_a_stale_line_that_outlives_a_short_token_is_never_replaced(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bucket.write_line(STALE)
    aws.state.token_life_limit = HOUR
    assert run().state == "superseded"
    assert bucket.versions() == [OTHER_LINE]
    assert "put" not in aws.steps


def test_a_file_deleted_between_head_and_put_is_published_again(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bucket.write_line(STALE)
    aws.at("put", after(lambda: bucket.s3.delete_object(Bucket=bucket.name, Key=KEY)))
    assert run().state == "published"
    assert aws.seen[-1].headers["If-None-Match"] == "*"


def test_it_gives_up_after_5_attempts_and_leaves_the_other_line(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bodies = (f"line {number}\n".encode() for number in range(6))
    aws.at("put", *[after(lambda: bucket.write_line(STALE, next(bodies)))] * 6)
    with pytest.raises(DestinationError, match=r"others wrote there during each of 5 attempts") as caught:
        run()
    assert aws.steps.count("put") == 5
    assert aws.steps.count("mint") == 1
    assert bucket.read() == b"line 4\n"
    assert_no_token(aws.state, rendered(caught.value))


def test_an_own_write_whose_answer_was_lost_counts_as_published(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    def lose(forward: Callable[[], Response]) -> Response:
        forward()
        return answer(500, "InternalError")(forward)

    aws.at("put", lose)
    result = run()
    assert (result.state, result.facts.refreshed_by) == ("published", "lambda")
    assert aws.steps == [*WHOLE_PROTOCOL, "put", "head"]
    assert bucket.versions() == [aws.seen[5].body]
    assert result.version_id == bucket.s3.head_object(Bucket=bucket.name, Key=KEY)["VersionId"]


def test_exactly_one_of_many_concurrent_refreshers_publishes(run: Run, bucket: Bucket) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = [future.result() for future in [pool.submit(run, 12) for _ in range(6)]]
    assert sorted(result.state for result in results) == ["published", *["superseded"] * 5]
    assert len(bucket.versions()) == 1


# The old line is unchanged


def test_a_token_that_the_repository_rejects_is_not_published(run: Run, aws: RecordedAws, bucket: Bucket) -> None:
    bucket.write_line(STALE)
    aws.at("mint", after(lambda: None, then=lambda _: _token_of_another_domain(aws)))
    with pytest.raises(TokenRejectedError, match=r"the repository rejects it: allow .*ReadFromRepository .* \[401\]"):
        run()
    assert aws.steps == ["head", "endpoint", "mint", "verify"]
    assert bucket.versions() == [OTHER_LINE]


def _token_of_another_domain(aws: RecordedAws) -> Response:
    token, expires_at = aws.state.mint("other")
    body = {"authorizationToken": token, "expiration": expires_at.timestamp()}
    return Response(json.dumps(body), mimetype="application/json")


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, TokenRejectedError), (403, TokenRejectedError), (302, VerifyError), (400, VerifyError)],
)
def test_without_a_yes_of_the_repository_nothing_is_published(
    run: Run, aws: RecordedAws, bucket: Bucket, status: int, error: type[VerifyError]
) -> None:
    bucket.write_line(STALE)
    aws.at("verify", answer(status, Location="/elsewhere/"))
    with pytest.raises(error) as caught:
        run()
    assert caught.value.code == str(status)
    assert aws.steps == ["head", "endpoint", "mint", "verify"]
    assert bucket.versions() == [OTHER_LINE]


def test_the_error_for_an_unreachable_repository_names_the_endpoint_to_check(
    run: Run, aws: RecordedAws, bucket: Bucket, closed_port: int
) -> None:
    bucket.write_line(STALE)
    endpoint = json.dumps({"repositoryEndpoint": f"http://127.0.0.1:{closed_port}/pypi/python/"})
    aws.at("endpoint", lambda _: Response(endpoint, mimetype="application/json"))
    sentence = r"no answer \(NewConnectionError\): check the VPC endpoint codeartifact\.repositories"
    with pytest.raises(VerifyError, match=sentence) as caught:
        run()
    assert bucket.versions() == [OTHER_LINE]
    assert_no_token(aws.state, rendered(caught.value))


def test_a_token_that_has_expired_on_arrival_is_not_published(
    run: Run, aws: RecordedAws, bucket: Bucket, clock: Clock
) -> None:
    bucket.write_line(STALE)
    aws.at("mint", after(lambda: None, then=lambda forward: _late(forward, clock)))
    with pytest.raises(MintError, match=r"it expired at 2030-01-01T12:00:00Z, .*: check the clock here"):
        run()
    assert bucket.versions() == [OTHER_LINE]


def _late(forward: Callable[[], Response], clock: Clock) -> Response:
    response = forward()
    clock.time += 12 * HOUR
    return response


def test_a_token_with_a_shorter_lifetime_causes_a_warning(
    run: Run, aws: RecordedAws, caplog: pytest.LogCaptureFixture
) -> None:
    aws.state.token_life_limit = HOUR
    assert run().state == "published"
    assert "The token is valid for only 1:00:00 although 12 hours were requested" in caplog.messages


# Written by hand


def test_a_hand_written_file_is_replaced_where_its_version_is_kept(
    run: Run, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.write(BY_HAND)
    assert run().state == "published"
    assert bucket.versions() == [bucket.read(), BY_HAND]
    assert f"{bucket.uri} was not written by a refresher: it counts as stale; a copy of it is kept" in caplog.messages


def test_a_hand_written_file_that_no_version_would_keep_is_refused_untouched(
    run: Run, aws: RecordedAws, target: Target, unversioned_bucket: Bucket
) -> None:
    bucket = unversioned_bucket
    bucket.write(BY_HAND)
    sentence = r"it was written by hand and no version would keep it: .*turn on bucket versioning"
    with pytest.raises(DestinationError, match=sentence):
        run(target=replace(target, destination=bucket.uri))
    assert bucket.read() == BY_HAND
    assert aws.steps == ["head"]


def test_the_error_for_a_file_older_than_versioning_names_a_fix_that_works(
    run: Run, target: Target, unversioned_bucket: Bucket
) -> None:
    # S3 calls the version of such a file "null"; turning on versioning does not change that.
    bucket = unversioned_bucket
    bucket.write(BY_HAND)
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    with pytest.raises(DestinationError, match="turn on bucket versioning and upload it again"):
        run(target=replace(target, destination=bucket.uri))
    bucket.write(BY_HAND)
    assert run(target=replace(target, destination=bucket.uri)).state == "published"
    assert BY_HAND in bucket.versions()


def test_a_hand_written_file_that_appears_before_the_put_is_refused_untouched(
    run: Run, aws: RecordedAws, target: Target, unversioned_bucket: Bucket
) -> None:
    bucket = unversioned_bucket
    aws.at("put", after(lambda: bucket.write(BY_HAND)))
    with pytest.raises(DestinationError, match="it was written by hand"):
        run(target=replace(target, destination=bucket.uri))
    assert bucket.read() == BY_HAND


def test_a_refreshers_line_is_replaced_without_versions_too(
    run: Run, target: Target, unversioned_bucket: Bucket
) -> None:
    bucket = unversioned_bucket
    bucket.write_line(STALE)
    result = run(target=replace(target, destination=bucket.uri))
    assert (result.state, result.version_id) == ("published", None)


# The secret


def test_the_token_is_concealed_before_it_is_used(run: Run, aws: RecordedAws) -> None:
    told: list[tuple[str, list[str]]] = []
    run(conceal=lambda secret: told.append((secret, aws.steps)))
    assert told == [(aws.state.minted[0], ["head", "endpoint", "mint"])]


@pytest.mark.parametrize("state", ["published", "superseded"])
def test_the_token_is_in_no_result_and_no_log(
    run: Run, aws: RecordedAws, bucket: Bucket, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="mwaa_codeartifact")
    if state == "superseded":
        aws.at("put", after(lambda: bucket.write_line(IN_12_HOURS)))
    result = run()
    assert result.state == state
    assert f"index-url {bucket.uri} {state}" in caplog.text
    assert_no_token(aws.state, result, str(result), result.as_dict(), caplog.text)


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [("verify", 401, ""), ("verify", 400, ""), ("put", 403, "AccessDenied"), ("put", 400, "InvalidRequest")],
)
def test_the_token_is_in_no_exception_nor_its_chain(
    run: Run, aws: RecordedAws, caplog: pytest.LogCaptureFixture, step: str, status: int, code: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="mwaa_codeartifact")
    aws.at(step, answer(status, code))
    with pytest.raises((VerifyError, DestinationError)) as caught:
        run()
    assert_no_token(aws.state, rendered(caught.value), vars(caught.value), caplog.text)


def test_the_token_is_in_no_exception_when_s3_hangs_up(run: Run, aws: RecordedAws) -> None:
    aws.at("put", *[hang_up] * 3)
    with pytest.raises(DestinationError) as caught:
        run()
    assert_no_token(aws.state, rendered(caught.value))


def test_only_the_mint_the_verification_and_the_file_carry_the_token(run: Run, aws: RecordedAws) -> None:
    run()
    for request in aws.seen:
        assert_no_token(aws.state, request.path, request.query)
        assert request.step in {"verify", "control"} or "Basic" not in request.headers.get("Authorization", "")
        if request.step != "put":
            assert_no_token(aws.state, request.body.decode())
    assert f"{DOMAIN}-{OWNER}.{REGION}/pypi/{REPOSITORY}/simple/" in aws.only("verify").path
