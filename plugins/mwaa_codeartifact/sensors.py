"""Sensors for DAGs that need a live index-url; importing them costs little."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

from mwaa_codeartifact.compat import AirflowException, AirflowFailException, BaseSensorOperator
from mwaa_codeartifact.links import LINKS
from mwaa_codeartifact.packages import needs_amazon_provider
from mwaa_codeartifact.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class CodeArtifactIndexUrlFreshSensor(BaseSensorOperator):
    """Wait until the index-url file holds a line that pip can use for long enough; looks by HEAD, reads no secret.

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

    template_fields: Sequence[str] = (
        "domain",
        "domain_owner",
        "repository",
        "region_name",
        "destination",
        "aws_conn_id",
    )
    operator_extra_links = tuple(link() for link in LINKS)
    ui_color = "#c5e4d3"

    def __init__(  # noqa: PLR0913  (a sensor's arguments are its interface, all keyword-only)
        self,
        *,
        domain: str | None = None,
        domain_owner: str | None = None,
        repository: str | None = None,
        region_name: str | None = None,
        destination: str | None = None,
        min_remaining: timedelta = timedelta(minutes=30),
        aws_conn_id: str | None = "aws_default",
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.domain = domain
        self.domain_owner = domain_owner
        self.repository = repository
        self.region_name = region_name
        self.destination = destination
        self.min_remaining = min_remaining
        self.aws_conn_id = aws_conn_id
        self.verify = verify
        self.botocore_config = botocore_config
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Wait here, or hand over to the triggerer if there is anything to wait for.

        :raises AirflowFailException: for a setting or a missing package that no retry can fix.
        :raises CodeArtifactError: when the destination could not be asked.
        """
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            from mwaa_codeartifact.triggers import CodeArtifactIndexUrlFreshTrigger

            self.defer(
                trigger=CodeArtifactIndexUrlFreshTrigger(poke_interval=self.poke_interval, **self._what_to_ask()),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return None

    def poke(self, context: Any) -> bool:  # noqa: ARG002  (Airflow's signature)
        """Look once."""
        # Imported here: the Amazon provider costs seconds, which only a running task should pay.
        from mwaa_codeartifact.core.errors import ConfigError

        with needs_amazon_provider(AirflowFailException):
            from mwaa_codeartifact.hooks import is_fresh

        try:
            return is_fresh(**self._what_to_ask())
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error

    def execute_complete(self, context: Any, event: dict[str, str]) -> None:  # noqa: ARG002  (Airflow's signature)
        """Go on when the trigger has ended.

        :param event: how it did.
        :raises AirflowException: when it could not look.
        """
        if event["status"] != "fresh":
            raise AirflowException(event["message"])

    def _what_to_ask(self) -> dict[str, Any]:
        return {
            "settings": settings_of(self),
            "min_remaining_seconds": self.min_remaining.total_seconds(),
            "aws_conn_id": self.aws_conn_id,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }
