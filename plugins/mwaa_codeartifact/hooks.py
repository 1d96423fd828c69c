"""Airflow's connection to CodeArtifact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from mwaa_codeartifact.compat import mask_secret, stats
from mwaa_codeartifact.core.connections import CLIENT_CONFIG, Clients, http_get
from mwaa_codeartifact.core.destinations import Standing, facts_for
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.core.refresh import RefreshResult, refresh
from mwaa_codeartifact.core.target import Target
from mwaa_codeartifact.settings import setting_name
from mwaa_codeartifact.status.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mwaa_codeartifact.core.destinations import Destination
    from mwaa_codeartifact.core.index_url import LineFacts

# What Airflow's metrics of the index-url begin with.
METRICS = "codeartifact.index_url"


class CodeArtifactHook(AwsBaseHook):
    """Interact with AWS CodeArtifact.

    Additional arguments (such as ``aws_conn_id``, ``region_name``, ``verify``, ``config``) are passed to AwsBaseHook.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "codeartifact"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """Bound the retries and waits of what the hook's caller, or else the connection, asks for."""
        return CLIENT_CONFIG.merge(super().config)

    def refresh_index_url(self, target: Target, *, min_remaining: timedelta) -> RefreshResult:
        """Make sure that a line with enough life left stands at the target's destination.

        :param target: what to refresh.
        :param min_remaining: a line with at least this much life left is left alone.
        :raises CodeArtifactError: when it failed; the old line still stands.
        """
        try:
            result = refresh(
                target, refresher="dag", min_remaining=min_remaining, clients=self._clients(), conceal=mask_secret
            )
        except CodeArtifactError:
            stats().incr(f"{METRICS}.refreshes.failed")
            stats().incr(f"{METRICS}.verdicts.{self._verdict(target)}")
            raise
        remaining = result.facts.token_expires_at - datetime.now(UTC)
        stats().incr(f"{METRICS}.refreshes.{result.state}")
        stats().incr(f"{METRICS}.verdicts.{self._verdict(target, result.facts)}")
        stats().gauge(f"{METRICS}.remaining_seconds", int(remaining.total_seconds()))
        return result

    def _verdict(self, target: Target, facts: LineFacts | None = None) -> str:
        """Return the verdict of the status page as a metric's name has it, such as ``at_risk``.

        :param target: whose line.
        :param facts: of the line that stands there (default: the destination is asked).
        """
        try:
            seen = Standing("", facts, recoverable=True) if facts else self._destination(target).head()
        except CodeArtifactError:
            return "unknown"
        return judge(target, seen, None, datetime.now(UTC)).verdict.replace(" ", "_")

    def remaining_lifetime(self, target: Target) -> timedelta:
        """Tell by a HEAD how long pip can use the line at the target's destination; zero when it cannot.

        :param target: whose line.
        :raises CodeArtifactError: when that cannot be told.
        """
        facts = facts_for(target, self._destination(target).head())
        return max(facts.token_expires_at - datetime.now(UTC), timedelta(0)) if facts else timedelta(0)

    def _destination(self, target: Target) -> Destination:
        return self._clients().destination(target.destination)

    def _clients(self) -> Clients:
        s3 = AwsBaseHook(client_type="s3", aws_conn_id=self.aws_conn_id, verify=self.verify, config=self.config)
        return Clients(
            codeartifact=self.get_conn(), s3=s3.get_conn(), http_get=partial(http_get, ca_bundle=self.verify)
        )


def is_fresh(
    *,
    settings: Mapping[str, str],
    min_remaining_seconds: float,
    aws_conn_id: str | None,
    verify: bool | str | None,
    botocore_config: dict[str, Any] | None,
) -> bool:
    """Tell whether pip can use a line for long enough; what sensor and trigger have in common.

    :param settings: of the target.
    :param min_remaining_seconds: remaining lifetime that is enough.
    :param aws_conn_id: see the sensor.
    :param verify: see the sensor.
    :param botocore_config: see the sensor.
    :raises ConfigError: for a setting that is missing or malformed.
    :raises CodeArtifactError: when the destination could not be asked.
    """
    target = Target.from_settings(settings, named=setting_name)
    config = Config(**botocore_config) if botocore_config else None
    hook = CodeArtifactHook(aws_conn_id=aws_conn_id, region_name=target.region, verify=verify, config=config)
    remaining = hook.remaining_lifetime(target)
    enough = timedelta(seconds=min_remaining_seconds)
    hook.log.info("index-url %s: pip can use it for %s, enough is %s", target.destination, remaining, enough)
    return remaining >= enough
