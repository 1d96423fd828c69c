"""The operator that refreshes the index-url; cheap to import, because only a running task loads the hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mwaa_codeartifact.base import CodeArtifactBaseOperator
from mwaa_codeartifact.compat import AirflowFailException
from mwaa_codeartifact.core.policy import DAG_MIN_REMAINING
from mwaa_codeartifact.packages import needs_amazon_provider
from mwaa_codeartifact.settings import settings_of, target_from

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIN_REMAINING_HOURS = DAG_MIN_REMAINING.total_seconds() / 3600


class CodeArtifactRefreshIndexUrlOperator(CodeArtifactBaseOperator):
    """Refresh the index-url file if the remaining lifetime of its token is too short.

    Returns the result without the token: see ``RefreshResult``. A setting that is not given is read from Airflow's
    ``[codeartifact]`` section when the task runs.

    :param domain: CodeArtifact domain. (templated)
    :param domain_owner: account id that owns the domain, 12 digits. (templated)
    :param repository: CodeArtifact repository. (templated)
    :param region_name: region of the domain (default: ``[codeartifact] region``). (templated)
    :param destination: the index-url file, an s3:// or file:// URI. (templated)
    :param min_remaining_hours: refresh below this remaining lifetime, 0 to 12 hours (default: that of the refresh DAG,
        11.5). (templated)
    :param aws_conn_id: Airflow connection for AWS (default: ``aws_default``; None: boto3's own search). (templated)
    :param verify: whether, or with which CA bundle, to verify TLS certificates (default: boto3's).
    :param botocore_config: arguments of ``botocore.config.Config`` (default: bounded standard retries).
    """

    template_fields: Sequence[str] = (*CodeArtifactBaseOperator.template_fields, "min_remaining_hours")

    def __init__(self, *, min_remaining_hours: float | str = _MIN_REMAINING_HOURS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_remaining_hours = min_remaining_hours

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  (Airflow's signature)
        """Refresh the index-url file.

        :param context: Airflow's context.
        :returns: the result as JSON types.
        :raises AirflowFailException: if a setting or a package is missing, which no retry can fix.
        :raises CodeArtifactError: if the refresh failed; the old line is unchanged.
        """
        from mwaa_codeartifact.core.errors import ConfigError
        from mwaa_codeartifact.core.target import min_remaining_from_hours

        with needs_amazon_provider(AirflowFailException):
            # Imported here: the Amazon provider takes seconds, which only a running task should spend.
            from mwaa_codeartifact.hooks import hook_for

        try:
            target = target_from(settings_of(self))
            min_remaining = min_remaining_from_hours(self.min_remaining_hours)
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        return hook_for(target, **self._aws_arguments).refresh_index_url(target, min_remaining=min_remaining).as_dict()
