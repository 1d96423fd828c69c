"""Airflow's hook for CodeArtifact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from mwaa_codeartifact import metrics
from mwaa_codeartifact.compat import mask_secret
from mwaa_codeartifact.core.connections import CLIENT_CONFIG, BotoConnections, http_get
from mwaa_codeartifact.core.destinations import StoredFile
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.core.freshness import is_fresh, usable_lifetime
from mwaa_codeartifact.core.refresh import RefreshResult, refresh
from mwaa_codeartifact.settings import target_from
from mwaa_codeartifact.status.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.verdict import Verdict


class CodeArtifactHook(AwsBaseHook):
    """Interact with AWS CodeArtifact.

    Additional arguments (such as ``aws_conn_id``, ``region_name``, ``verify``, ``config``) are passed to AwsBaseHook.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "codeartifact"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """Return the configuration of the caller or the connection, merged over this project's retries and timeouts."""
        return CLIENT_CONFIG.merge(super().config)

    def refresh_index_url(self, target: Target, *, min_remaining: timedelta) -> RefreshResult:
        """Refresh the line at the target's destination if too little of its lifetime remains.

        :param target: the target.
        :param min_remaining: a line with at least this remaining lifetime is not replaced.
        :returns: the result, without the token.
        :raises CodeArtifactError: if the refresh failed; the old line is unchanged.
        """
        connections = self._connections()
        try:
            result = refresh(
                target, refresher="dag", min_remaining=min_remaining, connections=connections, conceal=mask_secret
            )
        except CodeArtifactError:
            metrics.count_refresh("failed", _verdict(target, connections))
            raise
        now = datetime.now(UTC)
        stored = StoredFile("", result.facts, recoverable=True)
        metrics.count_refresh(result.state, judge(target, stored, None, now).verdict)
        metrics.set_remaining(result.facts.remaining(now))
        return result

    def remaining_lifetime(self, target: Target) -> timedelta:
        """Return for how long pip can use the line at the target's destination, from a HEAD; zero if it cannot.

        :param target: the target.
        :raises CodeArtifactError: if the destination could not be read.
        """
        return usable_lifetime(self.line_facts(target), target.repository.id, datetime.now(UTC))

    def line_facts(self, target: Target) -> LineFacts | None:
        """Return the facts of the line at the target's destination, from a HEAD; None if no refresher wrote it.

        :param target: the target.
        :raises CodeArtifactError: if the destination could not be read.
        """
        stored = self._connections().destination(target).head()
        return stored.facts if stored else None

    def _connections(self) -> BotoConnections:
        return BotoConnections(self._make_client, config=self.config, http_get=partial(http_get, ca_bundle=self.verify))

    def _make_client(self, service: str, *, region_name: str | None, config: Config) -> Any:
        return AwsBaseHook(
            client_type=service,
            aws_conn_id=self.aws_conn_id,
            region_name=region_name,
            verify=self.verify,
            config=config,
        ).get_conn()


def hook_for(
    target: Target,
    *,
    aws_conn_id: str | None,
    verify: bool | str | None,
    botocore_config: dict[str, Any] | None,
) -> CodeArtifactHook:
    """Return the hook for a target and the AWS arguments of an operator or sensor.

    :param target: the target; its domain's region is the hook's.
    :param aws_conn_id: see the operator.
    :param verify: see the operator.
    :param botocore_config: see the operator.
    """
    return CodeArtifactHook(
        aws_conn_id=aws_conn_id,
        region_name=target.repository.domain.region,
        verify=verify,
        config=Config(**botocore_config) if botocore_config else None,
    )


def is_line_fresh(*, settings: Mapping[str, str], min_remaining_seconds: float, **aws: Any) -> bool:
    """Return whether pip can use the line for long enough; shared by sensor and trigger.

    :param settings: of the target.
    :param min_remaining_seconds: the remaining lifetime that is enough.
    :param aws: the AWS arguments, see :func:`hook_for`.
    :raises ConfigError: if a setting is missing or malformed.
    :raises CodeArtifactError: if the destination could not be read.
    """
    target, enough = target_from(settings), timedelta(seconds=min_remaining_seconds)
    hook = hook_for(target, **aws)
    facts, now = hook.line_facts(target), datetime.now(UTC)
    remaining = usable_lifetime(facts, target.repository.id, now)
    hook.log.info("index-url %s: pip can use it for %s, enough is %s", target.destination, remaining, enough)
    return is_fresh(facts, target.repository.id, min_remaining=enough, now=now)


def _verdict(target: Target, connections: BotoConnections) -> Verdict:
    """Return the verdict of the status page on the line at the destination."""
    try:
        stored = connections.destination(target).head()
    except CodeArtifactError:
        return "unknown"
    return judge(target, stored, None, datetime.now(UTC)).verdict
