"""Operators that keep the index-url alive; importing them costs little, a running task loads the hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mwaa_codeartifact.compat import AirflowFailException, BaseOperator
from mwaa_codeartifact.links import LINKS
from mwaa_codeartifact.packages import needs_amazon_provider
from mwaa_codeartifact.settings import setting_name, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class CodeArtifactRefreshIndexUrlOperator(BaseOperator):
    """Refresh the index-url file if its token has too little life left.

    Returns what it found or did, without the token: see ``RefreshResult``. A setting that is not given is read from
    Airflow's ``[codeartifact]`` section when the task runs.

    :param domain: CodeArtifact domain. (templated)
    :param domain_owner: account id that owns the domain, 12 digits. (templated)
    :param repository: CodeArtifact repository. (templated)
    :param region_name: region of the domain (default: ``[codeartifact] region``). (templated)
    :param destination: the index-url file, an s3:// or file:// URI. (templated)
    :param min_remaining_hours: refresh below this remaining lifetime, 0 to 12 hours (default: 11.5). (templated)
    :param aws_conn_id: Airflow connection for AWS (default: ``aws_default``; None: boto3's own search). (templated)
    :param verify: whether, or with which CA bundle, to verify TLS certificates (default: boto3's).
    :param botocore_config: arguments of ``botocore.config.Config`` (default: bounded standard retries).
    """

    template_fields: Sequence[str] = (
        "domain",
        "domain_owner",
        "repository",
        "region_name",
        "destination",
        "min_remaining_hours",
        "aws_conn_id",
    )
    operator_extra_links = tuple(link() for link in LINKS)
    ui_color = "#c5e4d3"

    def __init__(  # noqa: PLR0913  (an operator's arguments are its interface, all keyword-only)
        self,
        *,
        domain: str | None = None,
        domain_owner: str | None = None,
        repository: str | None = None,
        region_name: str | None = None,
        destination: str | None = None,
        min_remaining_hours: float | str = 11.5,
        aws_conn_id: str | None = "aws_default",
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.domain_owner = domain_owner
        self.repository = repository
        self.region_name = region_name
        self.destination = destination
        self.min_remaining_hours = min_remaining_hours
        self.aws_conn_id = aws_conn_id
        self.verify = verify
        self.botocore_config = botocore_config

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  (Airflow's signature)
        """Refresh the index-url file.

        :raises AirflowFailException: for a setting or a missing package that no retry can fix.
        :raises CodeArtifactError: when the refresh failed; the old line still stands.
        """
        # Imported here: the Amazon provider costs seconds, which only a running task should pay.
        from mwaa_codeartifact.core.errors import ConfigError
        from mwaa_codeartifact.core.target import Target, min_remaining_from_hours

        with needs_amazon_provider(AirflowFailException):
            from botocore.config import Config

            from mwaa_codeartifact.hooks import CodeArtifactHook

        try:
            target = Target.from_settings(settings_of(self), named=setting_name)
            min_remaining = min_remaining_from_hours(self.min_remaining_hours)
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        hook = CodeArtifactHook(
            aws_conn_id=self.aws_conn_id,
            region_name=target.region,
            verify=self.verify,
            config=Config(**self.botocore_config) if self.botocore_config else None,
        )
        return hook.refresh_index_url(target, min_remaining=min_remaining).as_dict()
