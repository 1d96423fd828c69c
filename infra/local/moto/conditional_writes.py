"""The moment at which S3 decides a conditional write: moto compares first and writes later."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_WRITING = threading.Lock()


def one_at_a_time(*, writes: bool) -> AbstractContextManager[object]:
    """Return a context in which a request is handled: while it writes an object, no other write is handled.

    :param writes: whether the request is a PutObject; other requests do not wait.
    """
    return _WRITING if writes else nullcontext()
