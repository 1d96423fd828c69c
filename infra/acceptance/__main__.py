"""Prove the project on real AWS under a temporary name, write a report, and destroy everything again."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from typing import TYPE_CHECKING

from infra import ROOT
from infra.acceptance.acceptance import prove
from infra.acceptance.site import Site
from infra.cli.console import say
from infra.cli.program import CommandError, run

if TYPE_CHECKING:
    from collections.abc import Mapping

# List prices in us-east-1, USD an hour, November 2026: 0.49 for an mw1.small environment, 0.16 for eight interface
# endpoints in two zones; MWAA itself creates two of them.
_PRICE_AN_HOUR, _HOURS = 0.65, 2


class NotConfirmedError(CommandError):
    """The user did not agree to the costs."""


def main() -> int:
    """Run the acceptance once the user has agreed to its costs, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.acceptance", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args()

    def command() -> int:
        settings = temporary_settings(os.environ)
        _agree(settings, asked=not arguments.yes)
        site = Site(settings, lambda speaker, line: say(f"{speaker:10} {line}"), ROOT)
        return prove(site, ROOT / "build", settings.get("AWS_ENDPOINT_URL", "AWS"))

    return run(
        command, interrupted="Stopped. The deployed resources remain and cost money: run the printed `make destroy`."
    )


def temporary_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a deployment with its own temporary name.

    :param environ: the process environment; AWS_* settings and AIRFLOW_VERSION are taken from it.
    :raises CommandError: if no Region is set.
    """
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise CommandError(
            "AWS_REGION is not set: set it to the AWS Region for the test deployment (AWS_REGION=… make acceptance)."
        )
    name = f"acceptance-{secrets.token_hex(4)}"
    aws = {key: value for key, value in environ.items() if key.startswith("AWS_")}
    return {
        **aws,
        "AWS_REGION": region,
        "ENVIRONMENT_NAME": name,
        "BUCKET_NAME": f"{name}-bucket",
        "DOMAIN_NAME": name,
        "REPOSITORY_NAME": "python",
        **{key: environ[key] for key in ("AIRFLOW_VERSION",) if environ.get(key)},
    }


def _agree(settings: Mapping[str, str], *, asked: bool) -> None:
    name, region = settings["ENVIRONMENT_NAME"], settings["AWS_REGION"]
    say(f"This deploys {name} in {region}: a VPC with endpoints, a CodeArtifact domain, a bucket, a Lambda, MWAA.")
    say(f"It takes about {_HOURS} hours and costs about {_PRICE_AN_HOUR * _HOURS:.2f} USD at list prices (us-east-1).")
    say(f"If it is stopped: ENVIRONMENT_NAME={name} BUCKET_NAME={settings['BUCKET_NAME']} DOMAIN_NAME={name}")
    say("  REPOSITORY_NAME=python make destroy")
    if asked and input("Type yes to continue: ").strip() != "yes":
        raise NotConfirmedError("Nothing was deployed.")


if __name__ == "__main__":
    sys.exit(main())
