"""`make publish` against the stand-in: the stack, the AWS CLI, the build and twine are real."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local.codeartifact.package_groups import OriginType
from infra.local.demos.privileges import grants, unused, unused_resources
from infra.publish.publish import is_in_house
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.publish.support import Published

pytestmark = pytest.mark.long


@pytest.fixture
def process_list() -> Iterator[set[bytes]]:
    """Record every command line that runs during the test."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(process.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    over.set()
    thread.join()


def test_a_source_tree_is_built_and_published_and_a_repetition_is_no_error(published: Published, source: Path) -> None:
    file = f"{source.name.replace('-', '_')}-1.0-py3-none-any.whl"
    status, output, errors = published.publish(source)
    assert (status, errors) == (0, "")
    assert f"published {source.name} 1.0 ({file}) in {published.name}/{published.name}\n" in output
    assert file in published.files()
    module = source / "src" / source.name.replace("-", "_") / "__init__.py"
    module.write_text(module.read_text())  # a later date, the same content
    status, output, errors = published.publish(source)
    assert (status, errors) == (0, "")
    assert f"nothing to do: {source.name} 1.0 ({file}) is published already, byte for byte\n" in output


def test_another_file_for_a_published_version_is_refused_with_the_fix(
    published: Published, source: Path, tmp_path: Path
) -> None:
    name, content = wheel(source.name.replace("-", "_"), "1.0")
    (tmp_path / name).write_bytes(content)
    assert published.publish(tmp_path / name)[0] == 0
    status, _, errors = published.publish(source)
    assert status == 1
    assert errors == (
        f"{source.name} 1.0 is published already, and {name} is not that file: raise the version and publish again "
        "(a published file never changes).\n"
    )
    repository = published.server.codeartifact.repository(published.name, published.name)
    assert (repository.folder / name).read_bytes() == content


def test_a_name_that_is_not_in_house_is_refused_before_the_publishers_role_is_assumed(
    published: Published, tmp_path: Path
) -> None:
    name, content = wheel("acmetools", "1.0")
    (tmp_path / name).write_bytes(content)
    before, minted = published.calls(), len(published.server.codeartifact.minted)
    status, output, errors = published.publish(tmp_path / name)
    assert status == 1
    # "…" is the heartbeat on a slow machine.
    assert [line.split()[0] for line in output.splitlines() if "…" not in line] == ["acting", "settings"]
    assert errors == (
        "acmetools is not among the in-house packages (acme-*,other), and all others come from the public index only: "
        "add it to IN_HOUSE_PACKAGES and run `make deploy`, or rename the package.\n"
    )
    assert published.calls() == before
    assert len(published.server.codeartifact.minted) == minted


def test_the_publishers_role_has_the_permissions_that_an_upload_needs_and_no_others(
    published: Published, source: Path
) -> None:
    assert published.publish(source)[0] == 0
    calls, iam = published.calls(), published.server.client("iam")
    assert [call for call in calls if not call.allowed] == []
    arn = f"arn:aws:codeartifact:eu-west-1:123456789012:package/{published.name}/{published.name}/pypi//{source.name}"
    assert ("codeartifact:PublishPackageVersion", arn) in {(call.action, call.resource) for call in calls}
    policy = iam.get_role_policy(RoleName=published.role, PolicyName="publish-packages")["PolicyDocument"]
    assert unused(grants([policy]), calls) == []
    assert unused_resources(grants([policy]), calls) == set()


def test_the_token_and_the_session_are_in_no_output_and_no_process_list(
    published: Published, source: Path, process_list: set[bytes]
) -> None:
    minted = len(published.server.codeartifact.minted)
    status, output, errors = published.publish(source)
    assert status == 0
    (token,) = published.server.codeartifact.minted[minted:]
    listing = b"\n".join(process_list)
    assert b"twine\0--no-color\0upload" in listing
    assert token.encode() not in listing
    assert token not in output + errors
    assert "assume-role" in output
    assert "SecretAccessKey" not in output + errors


def test_a_refused_upload_shows_no_token_either(published: Published, source: Path) -> None:
    groups = published.server.codeartifact.domain(published.name).package_groups
    allowing = groups["/pypi//acme~"]
    groups.delete("/pypi//acme~")  # as a person could do by hand
    try:
        status, output, errors = published.publish(source)
    finally:
        groups.create("/pypi//acme~", allowing)
    assert status == 1
    assert f"The package group of {source.name} blocks its publication." in output
    assert errors.startswith(f"CodeArtifact refuses {source.name} (403, see above): a package group blocks")
    assert not any(token in output + errors for token in published.server.codeartifact.minted)


def test_without_the_stack_the_error_names_make_deploy(published: Published, source: Path) -> None:
    other = type(published)(published.server, "nowhere", dict(published.environ))
    status, _, errors = other.publish(source)
    assert (status, errors) == (
        1,
        "nowhere-repository is not deployed, or is older than the publisher's role: run `make deploy` first.\n",
    )


def test_the_stack_creates_a_package_group_for_each_name(published: Published) -> None:
    groups = published.server.codeartifact.domain(published.name).package_groups
    assert groups.keys() == {"/*", "/pypi/*", "/pypi//mwaa-codeartifact-probe$", "/pypi//acme~", "/pypi//other$"}
    names = ("numpy", "mwaa-codeartifact-probe", "acme-x", "other")
    assert {name: [groups.allow(name, way) for way in OriginType] for name in names} == {
        "numpy": [False, True, True],
        "mwaa-codeartifact-probe": [False, False, False],
        "acme-x": [True, False, True],
        "other": [True, False, True],
    }


@pytest.mark.parametrize("name", ["acme", "acme-x", "acme-x-y", "acmetools", "other", "other-x", "numpy", "x-acme-y"])
def test_a_name_is_in_house_exactly_if_codeartifact_allows_its_publication(published: Published, name: str) -> None:
    groups = published.server.codeartifact.domain(published.name).package_groups
    assert is_in_house(name, "acme-*,other") is groups.allow(name, OriginType.PUBLISH)
