from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError
from infra.local.moto.template_rules import check_properties
from tests.infra.local.codeartifact.support import OWNER

if TYPE_CHECKING:
    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import Clock


def test_a_token_opens_its_own_domain_only(state: CodeArtifact) -> None:
    token, _ = state.mint("data")
    assert state.check("data", token)
    assert not state.check("other", token)
    assert not state.check("nowhere", token)


def test_a_token_expires_after_its_duration(state: CodeArtifact, clock: Clock) -> None:
    token, expires_at = state.mint("data", duration_seconds=900)
    assert expires_at == clock.time + timedelta(seconds=900)
    clock.advance(seconds=899)
    assert state.check("data", token)
    clock.advance(seconds=1)
    assert not state.check("data", token)


def test_the_life_limit_applies_to_tokens_minted_from_then_on(state: CodeArtifact, clock: Clock) -> None:
    early, _ = state.mint("data")
    state.token_life_limit = timedelta(seconds=20)
    late, expires_at = state.mint("data")
    assert expires_at == clock.time + timedelta(seconds=20)
    clock.advance(seconds=20)
    assert (state.check("data", early), state.check("data", late)) == (True, False)


def test_a_token_looks_like_a_real_one_and_every_one_is_listed(state: CodeArtifact) -> None:
    tokens = [state.mint("data")[0] for _ in range(3)]
    assert all(re.fullmatch(r"eyJ[A-Za-z0-9_-]{1000}", token) for token in tokens)
    assert state.minted == tokens


def test_no_repr_shows_a_token(state: CodeArtifact) -> None:
    token, _ = state.mint("data")
    assert token not in repr(state) + repr(state.domain("data")) + repr(state.repository("data", "python"))


@pytest.mark.parametrize("duration", [-1, 1, 899, 43_201])
def test_a_duration_out_of_range_is_refused(state: CodeArtifact, duration: int) -> None:
    with pytest.raises(ValidationError, match="duration must be 0 or 900 to 43200 seconds"):
        state.mint("data", duration_seconds=duration)
    assert state.minted == []


def test_duration_0_gives_the_longest_life(state: CodeArtifact, clock: Clock) -> None:
    assert state.mint("data", duration_seconds=0)[1] == clock.time + timedelta(hours=12)


def test_another_owners_domain_is_not_found(state: CodeArtifact) -> None:
    with pytest.raises(ResourceNotFoundError):
        state.of("999999999999", "eu-west-1").domain("data")


@pytest.mark.parametrize("place", [(OWNER, "us-east-1"), ("999999999999", "eu-west-1")], ids=["Region", "account"])
def test_a_domain_of_the_same_name_elsewhere_is_another_domain(state: CodeArtifact, place: tuple[str, str]) -> None:
    elsewhere = state.of(*place)
    elsewhere.create_domain("data")
    repository = elsewhere.create_repository("data", "python")
    repository.publish("mine", "mine-1.0.tar.gz", b"")
    assert state.repository("data", "python").published == {}
    assert state.repository("data", "python").folder != repository.folder
    token, _ = elsewhere.mint("data")
    assert (state.check("data", token), elsewhere.check("data", token)) == (False, True)
    elsewhere.delete_repository("data", "python")
    elsewhere.delete_domain("data")
    assert state.repository("data", "python").folder.is_dir()


def test_a_domain_with_repositories_cannot_be_deleted(state: CodeArtifact) -> None:
    with pytest.raises(ConflictError, match="delete them first"):
        state.delete_domain("data")
    state.delete_repository("data", "python")
    state.delete_domain("data")
    with pytest.raises(ResourceNotFoundError):
        state.domain("data")


def test_a_deleted_repository_loses_its_packages(state: CodeArtifact) -> None:
    folder = state.repository("data", "python").folder
    (folder / "mine-1.0.tar.gz").touch()
    state.delete_repository("data", "python")
    assert not folder.exists()
    assert state.create_repository("data", "python").packages == {}


def test_a_recreated_domain_refuses_the_tokens_of_the_old_one(state: CodeArtifact) -> None:
    token, _ = state.mint("data")
    state.delete_repository("data", "python")
    state.delete_domain("data")
    state.create_domain("data")
    assert not state.check("data", token)


def test_names_are_unique(state: CodeArtifact) -> None:
    with pytest.raises(ConflictError):
        state.create_domain("data")
    with pytest.raises(ConflictError):
        state.create_repository("data", "python")


def test_a_repository_has_one_external_connection_at_most(state: CodeArtifact) -> None:
    with pytest.raises(ValidationError):
        state.create_repository("data", "two", external_connections=("public:pypi", "public:npmjs"))


@pytest.mark.parametrize(
    ("resource", "properties"),
    [
        *(("Domain", {"DomainName": name}) for name in ("Data", "x", "../x")),
        *(("Repository", {"DomainName": "data", "RepositoryName": name}) for name in ("x", "../x")),
    ],
)
def test_a_malformed_name_is_refused_by_cloudformation(resource: str, properties: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="does not match"):
        check_properties("Resource", f"AWS::CodeArtifact::{resource}", properties, "eu-west-1")
