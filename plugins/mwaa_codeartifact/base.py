"""The arguments that the operator and the sensor share; cheap to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mwaa_codeartifact.compat import BaseOperator
from mwaa_codeartifact.links import LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence


class CodeArtifactBaseOperator(BaseOperator):
    """The base of operator and sensor: a target's settings, and the AWS arguments of Airflow's Amazon provider.

    :param domain: CodeArtifact domain (default: ``[codeartifact] domain``). (templated)
    :param domain_owner: account id that owns the domain, 12 digits (default: ``[codeartifact] domain_owner``).
        (templated)
    :param repository: CodeArtifact repository (default: ``[codeartifact] repository``). (templated)
    :param region_name: region of the domain (default: ``[codeartifact] region``). (templated)
    :param destination: the index-url file, an s3:// or file:// URI (default: ``[codeartifact] destination``).
        (templated)
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
        "aws_conn_id",
    )
    operator_extra_links = tuple(link() for link in LINKS)
    ui_color = "#c5e4d3"

    def __init__(
        self,
        *,
        domain: str | None = None,
        domain_owner: str | None = None,
        repository: str | None = None,
        region_name: str | None = None,
        destination: str | None = None,
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
        self.aws_conn_id = aws_conn_id
        self.verify = verify
        self.botocore_config = botocore_config

    @property
    def _aws_arguments(self) -> dict[str, Any]:
        """Return the AWS arguments, as for ``hooks.hook_for``."""
        return {"aws_conn_id": self.aws_conn_id, "verify": self.verify, "botocore_config": self.botocore_config}
