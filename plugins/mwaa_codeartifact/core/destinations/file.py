"""The index-url file as a local file, for Airflow that runs outside AWS."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.destinations import ConflictError, StoredFile
from mwaa_codeartifact.core.errors import DestinationError
from mwaa_codeartifact.core.index_url import LineFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mwaa_codeartifact.core.index_url import IndexUrlFile


class FileDestination:
    """A destination that stores the index-url file on disk: mode 0600, replaced atomically, one writer at a time.

    :param path: absolute path; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.uri = path.as_uri()
        self._path = path

    def head(self) -> StoredFile | None:
        """Read the facts from the file's comment line."""
        try:
            return self._stored()
        except OSError as error:
            raise self._failed("see how fresh the index-url is", error) from error

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> str | None:
        """Replace the file under a lock; keep a copy of a file that no refresher wrote."""
        try:
            with self._locked():
                stored = self._stored()
                if stored != replacing:
                    raise ConflictError
                if stored and not stored.facts:
                    self._keep_aside()
                self._replace(file)
        except FileNotFoundError as error:
            reason = f"create the folder {self._path.parent}"
            raise DestinationError("publish the index-url", self.uri, reason, code=type(error).__name__) from error
        except OSError as error:
            raise self._failed("publish the index-url", error) from error
        return None

    def _stored(self) -> StoredFile | None:
        try:
            body = self._path.read_bytes()
        except FileNotFoundError:
            return None
        etag = hashlib.sha256(body).hexdigest()
        return StoredFile(etag, LineFacts.from_body(body.decode(errors="replace")), recoverable=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(f".{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _keep_aside(self) -> None:
        self._path.chmod(0o600)
        aside = self._path.with_name(f"{self._path.name}.by-hand-{time.time_ns()}")
        aside.hardlink_to(self._path)

    def _replace(self, file: IndexUrlFile) -> None:
        # mkstemp creates the file with mode 0600, so others can never read the secret.
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as written:
                written.write(file.render())
                written.flush()
                os.fsync(written.fileno())
            temporary.replace(self._path)
        except BaseException:
            temporary.unlink()
            raise

    def _failed(self, attempt: str, error: Exception) -> DestinationError:
        return DestinationError(attempt, self.uri, str(error), code=type(error).__name__)
