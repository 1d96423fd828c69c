"""Origin controls: which names may be published and which may come from upstream, and the attack that they prevent."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError
from infra.local.codeartifact.package_groups import OriginType, PackageGroups
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import PublicIndex

Install = subprocess.CompletedProcess[str]
ALLOW, BLOCK = "ALLOW", "BLOCK"
IN_HOUSE = {OriginType.PUBLISH: ALLOW, OriginType.EXTERNAL_UPSTREAM: BLOCK}
PUBLIC = {OriginType.PUBLISH: BLOCK, OriginType.EXTERNAL_UPSTREAM: ALLOW}


@pytest.fixture
def groups(state: CodeArtifact) -> PackageGroups:
    """Return the groups that the repository stack creates for `acme-*,other`."""
    groups = state.domain("data").package_groups
    groups.create("/pypi/*", PUBLIC)
    groups.create("/pypi//acme~", IN_HOUSE)
    groups.create("/pypi//other$", IN_HOUSE)
    return groups


def upload(index_url: str, state: CodeArtifact, name: str, version: str, source: str = "") -> requests.Response:
    file, content = wheel(name, version, source)
    form = {":action": "file_upload", "protocol_version": "1"}
    login = "aws", state.mint("data")[0]
    return requests.post(index_url, data=form, files={"content": (file, content)}, auth=login, timeout=10)


@pytest.fixture
def install(index_url: str, state: CodeArtifact, tmp_path: Path) -> Callable[..., Install]:
    """Run pip with the repository as its index, without this machine's settings."""
    index_url = index_url.replace("http://", f"http://aws:{state.mint('data')[0]}@")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(*arguments: str) -> Install:
        command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "site")]
        command += ["--index-url", f"{index_url}simple/", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("acme", "/pypi//acme~"),
        ("acme-tool", "/pypi//acme~"),
        ("acmetool", "/pypi/*"),
        ("other", "/pypi//other$"),
        ("other-one", "/pypi/*"),
        ("numpy", "/pypi/*"),
    ],
)
def test_a_prefix_ends_at_a_word_and_an_exact_name_is_exact(groups: PackageGroups, name: str, pattern: str) -> None:
    assert groups.lineage(name)[0] == pattern


def test_the_most_specific_group_decides(groups: PackageGroups) -> None:
    groups.create("/pypi//acme-public~", PUBLIC)
    groups.create("/pypi//acme-public-secret$", IN_HOUSE)
    groups.create("/pypi//acme$", PUBLIC)
    assert [groups.lineage(name)[0] for name in ("acme-public-x", "acme-public-secret", "acme", "acme-x")] == [
        "/pypi//acme-public~",
        "/pypi//acme-public-secret$",
        "/pypi//acme$",
        "/pypi//acme~",
    ]


def test_a_group_inherits_unset_modes_from_the_nearest_group_that_sets_them(groups: PackageGroups) -> None:
    groups.create("/pypi//acme-tool~", {OriginType.PUBLISH: BLOCK})
    assert groups.lineage("acme-tool-x") == [
        "/pypi//acme-tool~",
        "/pypi//acme~",
        "/pypi/*",
        "/*",
    ]
    assert {way: groups.allow("acme-tool-x", way) for way in OriginType} == {
        OriginType.PUBLISH: False,  # by itself
        OriginType.EXTERNAL_UPSTREAM: False,  # by /pypi//acme~, although /pypi/* allows it
        OriginType.INTERNAL_UPSTREAM: True,  # by /*
    }


@pytest.mark.parametrize(
    "pattern",
    ["/pypi//acme-~", "/pypi//acme-*", "/pypi//~", "/pypi//Acme~", "/pypi//a_b$", "a", "/npm/*", "/pypi//a"],
)
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        PackageGroups().create(pattern, {})


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValidationError, match="ALLOW_SPECIFIC_REPOSITORIES"):
        PackageGroups().create("/pypi/*", {OriginType.PUBLISH: "ALLOW_SPECIFIC_REPOSITORIES"})


def test_a_pattern_is_unique(groups: PackageGroups) -> None:
    with pytest.raises(ConflictError):
        groups.create("/pypi/*", {})
    groups.delete("/pypi/*")
    with pytest.raises(ResourceNotFoundError):
        groups.delete("/pypi/*")


@pytest.mark.usefixtures("groups")
def test_an_in_house_name_is_published_and_any_other_is_403(index_url: str, state: CodeArtifact) -> None:
    assert upload(index_url, state, "acme_tool", "1.0").status_code == 200
    refused = upload(index_url, state, "tool", "1.0")
    assert (refused.status_code, refused.text) == (403, "The package group of tool blocks its publication.\n")
    assert list(state.repository("data", "python").packages) == ["acme-tool"]


def test_the_groups_of_a_domain_do_not_apply_in_another(
    index_url: str, state: CodeArtifact, groups: PackageGroups
) -> None:
    assert not groups.allow("tool", OriginType.PUBLISH)
    login, (file, content) = ("aws", state.mint("other")[0]), wheel("tool", "1.0")
    form = {":action": "file_upload", "protocol_version": "1"}
    url = index_url.replace("/data-", "/other-")
    assert requests.post(url, data=form, files={"content": (file, content)}, auth=login, timeout=10).status_code == 200


def test_the_same_file_again_is_no_error_and_another_of_its_name_is_409(index_url: str, state: CodeArtifact) -> None:
    statuses = [upload(index_url, state, "mine", "1.0", source).status_code for source in ("x = 1", "x = 1", "x = 2")]
    assert statuses == [200, 200, 409]


@pytest.fixture
def attacked(public_index: PublicIndex) -> PublicIndex:
    """Let an attacker upload a higher version of an in-house name to the public index."""
    public_index.add("acme_tool", "99.0", "OWNER = 'attacker'\n")
    (public_index.folder / "simple" / "acme_tool").rename(public_index.folder / "simple" / "acme-tool")
    return public_index


@pytest.fixture
def installed_after_publication(
    install: Callable[..., Install], index_url: str, state: CodeArtifact, tmp_path: Path
) -> Callable[..., str]:
    """Publish version 1.0 of the in-house name, install the name with pip, and return the installed source."""

    def installed(*options: str) -> str:
        upload(index_url, state, "acme_tool", "1.0", "OWNER = 'acme'\n")
        pip = install(*options, "acme-tool")
        assert pip.returncode == 0, pip.stderr
        return (tmp_path / "site" / "acme_tool.py").read_text()

    return installed


@pytest.mark.usefixtures("groups")
class TestDependencyConfusion:
    """The attack on the repository alone, and on set-ups that allow it."""

    def test_a_higher_version_upstream_is_ignored(
        self, installed_after_publication: Callable[..., str], attacked: PublicIndex
    ) -> None:
        assert installed_after_publication() == "OWNER = 'acme'\n"
        assert attacked.requests == []

    def test_it_is_ignored_even_before_the_first_publication(
        self, install: Callable[..., Install], attacked: PublicIndex
    ) -> None:
        installed = install("acme-tool")
        assert installed.returncode == 1
        assert "No matching distribution found for acme-tool" in installed.stderr
        assert attacked.requests == []

    def test_it_is_installed_where_the_public_index_is_an_extra_index(
        self, installed_after_publication: Callable[..., str], attacked: PublicIndex
    ) -> None:
        extra = ("--extra-index-url", f"{attacked.url}/simple/")
        assert installed_after_publication(*extra) == "OWNER = 'attacker'\n"


@pytest.mark.usefixtures("attacked")
def test_without_package_groups_it_is_installed_until_the_name_is_published(
    install: Callable[..., Install], tmp_path: Path
) -> None:
    assert install("acme-tool").returncode == 0
    assert (tmp_path / "site" / "acme_tool.py").read_text() == "OWNER = 'attacker'\n"
