"""Settings of a deployment, for the tests of the programs that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "AWS_REGION": "eu-central-1",
    "ENVIRONMENT_NAME": "demo",
    "BUCKET_NAME": "demo-bucket",
    "DOMAIN_NAME": "demo-domain",
    "REPOSITORY_NAME": "demo-repository",
}


def write(folder: Path, **settings: str) -> Path:
    """Write a .env of good settings; those that are passed replace them."""
    path = folder / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in (GOOD | settings).items()))
    return path
