"""Airflow's connection to CodeArtifact."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from mwaa_codeartifact.compat import mask_secret
from mwaa_codeartifact.core.clients import CLIENT_CONFIG, Clients, http_get
from mwaa_codeartifact.core.refresh import RefreshResult, refresh

if TYPE_CHECKING:
    from datetime import timedelta

    from botocore.config import Config

    from mwaa_codeartifact.core.config import Target


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
        s3 = AwsBaseHook(client_type="s3", aws_conn_id=self.aws_conn_id, verify=self.verify, config=self.config)
        return refresh(
            target,
            refresher="dag",
            min_remaining=min_remaining,
            clients=Clients(
                codeartifact=self.get_conn(),
                s3=s3.get_conn(),
                http_get=partial(http_get, ca_bundle=self.verify),
            ),
            conceal=mask_secret,
        )
