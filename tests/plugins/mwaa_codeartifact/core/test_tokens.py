"""One run's tokens against HTTP stand-ins: the requests that several repositories and domains cost together."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Response

from mwaa_codeartifact.core.errors import MintError, TokenRejectedError, VerifyError
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.tokens import TokenProvider
from tests.plugins.mwaa_codeartifact.core.support import (
    DOMAIN,
    TARGET_REPOSITORY,
    after,
    answer,
    assert_no_token,
    make_bucket,
    rendered,
)

if TYPE_CHECKING:
    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, Clock, Forward, RecordedAws

SECOND = replace(TARGET_REPOSITORY, name="second")
OTHER_DOMAIN = replace(TARGET_REPOSITORY, domain=replace(TARGET_REPOSITORY.domain, name="other"))
HOUR = timedelta(hours=1)


@pytest.fixture
def tokens(aws: RecordedAws, connections: BotoConnections, clock: Clock) -> TokenProvider:
    aws.state.create_repository(DOMAIN, SECOND.name)
    return TokenProvider(connections, now=clock)


def test_a_repository_is_minted_for_and_verified_once(aws: RecordedAws, tokens: TokenProvider) -> None:
    assert tokens.get(TARGET_REPOSITORY) is tokens.get(TARGET_REPOSITORY)
    assert aws.steps == ["endpoint", "mint", "verify", "control"]


def test_a_second_repository_of_a_domain_is_verified_with_the_same_token(
    aws: RecordedAws, tokens: TokenProvider
) -> None:
    first, second = tokens.get(TARGET_REPOSITORY), tokens.get(SECOND)
    assert first.token is second.token
    assert first.endpoint != second.endpoint
    assert aws.steps == ["endpoint", "mint", "verify", "control", "endpoint", "verify", "control"]


def test_each_domain_has_its_own_token(aws: RecordedAws, tokens: TokenProvider) -> None:
    assert tokens.get(TARGET_REPOSITORY).token.value != tokens.get(OTHER_DOMAIN).token.value
    assert aws.steps.count("mint") == 2


@pytest.mark.parametrize(
    ("step", "requests"), [("mint", ["endpoint", "mint"]), ("endpoint", ["endpoint"] * 3)], ids=["mint", "endpoint"]
)
def test_a_failing_domain_gets_one_request_for_all_its_repositories(
    aws: RecordedAws, tokens: TokenProvider, step: str, requests: list[str]
) -> None:
    if step == "mint":
        aws.at(step, answer(400, "AccessDeniedException"))
    else:
        aws.at(step, *[answer(503, "ServiceUnavailableException")] * 3)
    for repository in (TARGET_REPOSITORY, SECOND, TARGET_REPOSITORY):
        with pytest.raises(MintError) as caught:
            tokens.get(repository)
        assert f"({repository.id}): " in str(caught.value)
    assert aws.steps == requests
    tokens.get(OTHER_DOMAIN)


def test_an_unknown_repository_does_not_stop_the_others_of_its_domain(aws: RecordedAws, tokens: TokenProvider) -> None:
    unknown = replace(TARGET_REPOSITORY, name="nothing")
    for _ in range(2):
        with pytest.raises(MintError, match="not found: check the settings"):
            tokens.get(unknown)
    assert aws.steps == ["endpoint"]
    tokens.get(SECOND)


def test_a_rejected_token_is_remembered_for_its_repository_only(aws: RecordedAws, tokens: TokenProvider) -> None:
    aws.at("verify", answer(403))
    for _ in range(2):
        with pytest.raises(TokenRejectedError, match=r"the repository rejects it: .* \[403\]"):
            tokens.get(TARGET_REPOSITORY)
    assert aws.steps == ["endpoint", "mint", "verify"]
    tokens.get(SECOND)
    assert aws.steps.count("mint") == 1


def test_an_expired_token_is_refused_for_every_repository_of_its_domain(
    aws: RecordedAws, tokens: TokenProvider, clock: Clock
) -> None:
    def late(forward: Forward) -> Response:
        response = forward()
        clock.time += 12 * HOUR
        return response

    aws.at("mint", late)
    for repository in (TARGET_REPOSITORY, SECOND):
        with pytest.raises(MintError, match="before it could be used: check the clock here"):
            tokens.get(repository)
    assert aws.steps == ["endpoint", "mint"]


def test_threads_that_need_one_domain_at_once_share_one_token(aws: RecordedAws, tokens: TokenProvider) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(tokens.get, [TARGET_REPOSITORY, SECOND] * 4))
    assert len({verified.token.value for verified in found}) == 1
    assert sorted(aws.steps) == sorted(["mint", *["endpoint", "verify", "control"] * 2])


def test_each_token_is_concealed_before_it_is_used(
    aws: RecordedAws, connections: BotoConnections, clock: Clock
) -> None:
    concealed: list[tuple[str, list[str]]] = []
    tokens = TokenProvider(connections, now=clock, conceal=lambda secret: concealed.append((secret, aws.steps)))
    tokens.get(TARGET_REPOSITORY)
    tokens.get(OTHER_DOMAIN)
    assert [secret for secret, _ in concealed] == aws.state.minted
    assert concealed[0][1] == ["endpoint", "mint"]


def test_a_remembered_failure_shows_no_token(aws: RecordedAws, tokens: TokenProvider) -> None:
    aws.at("verify", answer(500), answer(500), answer(500))
    for _ in range(2):
        with pytest.raises(VerifyError) as caught:
            tokens.get(TARGET_REPOSITORY)
        assert_no_token(aws.state, rendered(caught.value), tokens, vars(tokens))


def test_refreshes_that_share_a_provider_share_its_tokens(
    aws: RecordedAws, bucket: Bucket, target: Target, connections: BotoConnections, tokens: TokenProvider, clock: Clock
) -> None:
    second = replace(target, destination=make_bucket(bucket.s3).uri)
    results = [
        refresh(either, refresher="lambda", min_remaining=8 * HOUR, connections=connections, now=clock, tokens=tokens)
        for either in (target, second)
    ]
    assert [result.state for result in results] == ["published"] * 2
    assert aws.steps == ["head", "endpoint", "mint", "verify", "control", "put", "head", "put"]
    assert list(results[1].durations_seconds) == ["head", "mint", "verify", "publish"]


def test_a_token_of_another_domain_fails_its_own_repository_only(aws: RecordedAws, tokens: TokenProvider) -> None:
    aws.at("mint", after(lambda: None, then=lambda _: _token_of_another_domain(aws)))
    with pytest.raises(TokenRejectedError):
        tokens.get(TARGET_REPOSITORY)
    assert tokens.get(OTHER_DOMAIN).token.value in aws.state.minted


def _token_of_another_domain(aws: RecordedAws) -> Response:
    token, expires_at = aws.state.mint("other")
    body = {"authorizationToken": token, "expiration": expires_at.timestamp()}
    return Response(json.dumps(body), mimetype="application/json")
