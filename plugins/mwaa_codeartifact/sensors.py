"""The sensor for DAGs that need a fresh index-url; cheap to import."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.configuration import conf

from mwaa_codeartifact.base import CodeArtifactBaseOperator
from mwaa_codeartifact.compat import AirflowException, AirflowFailException, BaseSensorOperator
from mwaa_codeartifact.core.policy import SENSOR_MIN_REMAINING
from mwaa_codeartifact.packages import needs_amazon_provider
from mwaa_codeartifact.settings import settings_of


class CodeArtifactIndexUrlFreshSensor(CodeArtifactBaseOperator, BaseSensorOperator):
    """Wait until the index-url file has a line that pip can use for long enough; a HEAD, which reads no secret.

    A setting that is not given is read from Airflow's ``[codeartifact]`` section when the task runs.

    :param domain: CodeArtifact domain. (templated)
    :param domain_owner: account id that owns the domain, 12 digits. (templated)
    :param repository: CodeArtifact repository. (templated)
    :param region_name: region of the domain (default: ``[codeartifact] region``). (templated)
    :param destination: the index-url file, an s3:// or file:// URI. (templated)
    :param min_remaining: remaining lifetime that is enough (default: 30 minutes).
    :param aws_conn_id: Airflow connection for AWS (default: ``aws_default``; None: boto3's own search). (templated)
    :param verify: whether, or with which CA bundle, to verify TLS certificates (default: boto3's).
    :param botocore_config: arguments of ``botocore.config.Config`` (default: bounded standard retries).
    :param deferrable: wait in the triggerer (default: ``[operators] default_deferrable``).
    """

    def __init__(
        self,
        *,
        min_remaining: timedelta = SENSOR_MIN_REMAINING,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.min_remaining = min_remaining
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Wait in the worker, or, if deferrable and the line is not fresh yet, in the triggerer.

        :param context: Airflow's context.
        :raises AirflowFailException: if a setting or a package is missing, which no retry can fix.
        :raises CodeArtifactError: if the destination could not be read.
        """
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            from mwaa_codeartifact.triggers import CodeArtifactIndexUrlFreshTrigger

            self.defer(
                trigger=CodeArtifactIndexUrlFreshTrigger(poke_interval=self.poke_interval, **self._check_arguments()),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return None

    def poke(self, context: Any) -> bool:  # noqa: ARG002  (Airflow's signature)
        """Check the line once.

        :param context: Airflow's context.
        """
        from mwaa_codeartifact.core.errors import ConfigError

        with needs_amazon_provider(AirflowFailException):
            # Imported here: the Amazon provider takes seconds, which only a running task should spend.
            from mwaa_codeartifact.hooks import is_line_fresh

        try:
            return is_line_fresh(**self._check_arguments())
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error

    def execute_complete(self, context: Any, event: dict[str, str]) -> None:  # noqa: ARG002  (Airflow's signature)
        """Continue after the trigger's event.

        :param context: Airflow's context.
        :param event: of the trigger.
        :raises AirflowException: if the trigger could not read the destination.
        """
        if event["status"] != "fresh":
            raise AirflowException(event["message"])

    def _check_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``hooks.is_line_fresh``."""
        return {
            "settings": settings_of(self),
            "min_remaining_seconds": self.min_remaining.total_seconds(),
            **self._aws_arguments,
        }
