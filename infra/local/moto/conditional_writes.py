"""Atomic conditional writes for S3, because moto compares first and writes later."""

from __future__ import annotations

import threading
from contextlib import nullcontext

_WRITING = threading.Lock()


def one_at_a_time(*, writes: bool) -> threading.Lock | nullcontext[None]:
    """Return the context in which to handle a request, so that only one write is handled at a time.

    :param writes: whether the request is a PutObject; other requests do not wait.
    """
    return _WRITING if writes else nullcontext()
