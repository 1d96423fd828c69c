"""Faults in a container before pip. Each row is a test of the startup script and a line of docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.requirements.test_startup_faults import Scene

VALID, EXPIRED, NOTHING = "a valid line", "the expired line", "nothing"


@dataclass(frozen=True)
class ContainerRow:
    """One fault and its effects, with an expired line in S3 and in the container, whose user owns dags/.

    :param name: the fault.
    :param inject: causes it.
    :param container: the content of the container's file when pip reads it.
    :param s3: the content of the bucket's file.
    :param sees: the part of the script's line in the startup log that identifies the fault.
    :param before_pip: called when the script has ended (default: nothing).
    """

    name: str
    inject: Callable[[Scene], object]
    container: str
    s3: str
    sees: str
    before_pip: Callable[[Scene], object] = lambda _: None


_FOR_ALL = "index-url refreshed, valid until"
_IN_THIS_ONE = "index-url refreshed in this container only, valid until"

IN_A_CONTAINER = [
    ContainerRow("DAG and Lambda have failed for hours", lambda _: None, VALID, VALID, _FOR_ALL),
    ContainerRow("dags/ is not synced yet", lambda on: on.not_synced(), VALID, VALID, _FOR_ALL),
    ContainerRow("S3 cannot be reached", lambda on: on.without("S3"), VALID, EXPIRED, _IN_THIS_ONE),
    ContainerRow(
        "S3 cannot be reached, and a sync brings its expired line back before pip",
        lambda on: on.without("S3"),
        VALID,
        EXPIRED,
        _IN_THIS_ONE,
        lambda on: on.sync(),
    ),
    ContainerRow(
        "S3 cannot be reached, and a sync deletes the file before pip",
        lambda on: on.without("S3"),
        VALID,
        EXPIRED,
        _IN_THIS_ONE,
        lambda on: on.container.file.unlink(),
    ),
    ContainerRow(
        "A sync that read S3's expired line before the refresh writes it before pip",
        lambda _: None,
        VALID,
        VALID,
        _FOR_ALL,
        lambda on: on.sync(),
    ),
    ContainerRow("The plugins are not unpacked yet", lambda on: on.without_plugins(), VALID, EXPIRED, _IN_THIS_ONE),
    ContainerRow(
        "The plugins are not unpacked yet, and a sync brings S3's expired line back before pip",
        lambda on: on.without_plugins(),
        VALID,
        EXPIRED,
        _IN_THIS_ONE,
        lambda on: on.sync(),
    ),
    ContainerRow(
        "CodeArtifact cannot be reached",
        lambda on: on.without("CODEARTIFACT"),
        EXPIRED,
        EXPIRED,
        "index-url not refreshed, the line that is there is kept: Could not ",
    ),
    ContainerRow(
        "The repository answers 404 to every token",
        lambda on: on.hide_from_bad_tokens(),
        EXPIRED,
        EXPIRED,
        "it answers 404 to a wrong token as well, which proves nothing",
    ),
    ContainerRow(
        "dags/ belongs to root, and the user has sudo",
        lambda on: on.owned_by_another_user("works"),
        VALID,
        VALID,
        "written with sudo",
    ),
    ContainerRow(
        "dags/ belongs to root, the user has sudo, S3 cannot be reached, a sync restores its expired line before pip",
        lambda on: on.owned_by_another_user("works", without="S3"),
        VALID,
        EXPIRED,
        "written with sudo",
        lambda on: on.sync(),
    ),
    ContainerRow(
        "dags/ belongs to root, and sudo needs a password",
        lambda on: on.owned_by_another_user("needs a password"),
        EXPIRED,
        VALID,
        "index-url alive in S3, but not in this container: ",
    ),
    ContainerRow(
        "dags/ belongs to root, there is no sudo, and S3 cannot be reached",
        lambda on: on.owned_by_another_user("none", without="S3"),
        EXPIRED,
        EXPIRED,
        "index-url not refreshed: ",
    ),
]
