"""The Python packages that MWAA has and a plain Airflow lacks: show which one to install."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The provider and its dependencies.
_OF_THE_PROVIDER = ("airflow.providers.amazon", "boto3", "botocore", "urllib3")


class MissingPackageError(Exception):
    """A Python package that this plugin needs is not installed."""


@contextmanager
def needs_amazon_provider(raising: type[Exception] = MissingPackageError) -> Iterator[None]:
    """Raise an error with one clear sentence if an import fails because the Amazon provider is not installed.

    :param raising: the error (default: MissingPackageError).
    :raises MissingPackageError: naming the package to install; or the class in ``raising``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = error.name or ""
        if not f"{name}.".startswith(tuple(f"{package}." for package in _OF_THE_PROVIDER)):
            raise
        raise raising(
            f"The Python module {name} is missing: install apache-airflow-providers-amazon (with Airflow's "
            "constraints) where Airflow runs, and restart Airflow"
        ) from error
