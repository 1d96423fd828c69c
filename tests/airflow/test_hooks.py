from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mwaa_codeartifact.core.codeartifact import PROBE
from mwaa_codeartifact.core.errors import DestinationError, MintError, TokenRejectedError
from mwaa_codeartifact.core.target import Target
from mwaa_codeartifact.hooks import CodeArtifactHook
from tests.airflow.support import DOMAIN, OWNER, REGION, REPOSITORY, CannedAws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)


def target(destination: str, **settings: str) -> Target:
    whole = {"domain": DOMAIN, "domain_owner": OWNER, "repository": REPOSITORY, "region": REGION}
    return Target.from_settings(whole | {"destination": destination} | settings)


def client_meta(**arguments: Any) -> Any:
    """Return the metadata of a hook's client."""
    client: Any = CodeArtifactHook(**{"aws_conn_id": None, "region_name": REGION} | arguments).get_conn()
    return client.meta


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a self-signed certificate for 127.0.0.1; the file contains its key as well."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()) + signed.public_bytes(pem))
    return path


@pytest.fixture
def tls_aws(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CannedAws]:
    """Serve an AWS behind a certificate that this machine does not trust; its bucket is empty."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with CannedAws(default=(404, {})).served(context) as canned:
        monkeypatch.setenv("AWS_ENDPOINT_URL", canned.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        yield canned


def test_the_hook_calls_codeartifact_in_its_region() -> None:
    meta = client_meta(region_name="eu-central-1")
    assert meta.service_model.service_name == "codeartifact"
    assert meta.region_name == "eu-central-1"


def test_retries_are_standard_and_retries_and_timeouts_are_bounded() -> None:
    config = client_meta().config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (3, 5)


def test_a_given_config_is_merged_over_the_bounds() -> None:
    config = client_meta(config=Config(read_timeout=30, user_agent_extra="mine")).config
    assert (config.connect_timeout, config.read_timeout) == (3, 30)
    assert config.user_agent_extra.endswith(" mine")  # after Airflow's own user agent
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_the_config_kwargs_of_a_connection_are_merged_over_the_bounds(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.exists()
    extra = '{"extra": {"config_kwargs": {"read_timeout": 30, "proxies": {"https": "http://proxy:3128"}}}}'
    monkeypatch.setenv("AIRFLOW_CONN_BEHIND_A_PROXY", extra)
    config = client_meta(aws_conn_id="behind_a_proxy").config
    assert (config.connect_timeout, config.read_timeout) == (3, 30)
    assert config.proxies == {"https": "http://proxy:3128"}


@pytest.mark.usefixtures("configured")
def test_a_failing_aws_gets_three_requests(
    configured: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", canned_aws.url)
    hook = CodeArtifactHook(aws_conn_id=None, region_name=REGION)
    with pytest.raises(MintError, match="InternalError"):
        hook.refresh_index_url(target(configured), min_remaining=HOUR)
    assert len(canned_aws.requests) == 3


def test_each_service_is_called_in_its_own_region(
    configured: str, canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    canned_aws.respond_with_token("canary", verdict=401)
    elsewhere = target(configured, region="eu-central-1")
    with pytest.raises(TokenRejectedError):
        CodeArtifactHook(aws_conn_id=None, region_name=elsewhere.repository.domain.region).refresh_index_url(
            elsewhere, min_remaining=HOUR
        )
    signed_for = [headers["Authorization"] for _, headers in canned_aws.requests[:3]]
    assert f"/{REGION}/s3/aws4_request" in signed_for[0]
    assert all("/eu-central-1/codeartifact/aws4_request" in scope for scope in signed_for[1:])


def test_a_certificate_that_is_not_trusted_ends_the_refresh(tls_aws: CannedAws) -> None:
    hook = CodeArtifactHook(aws_conn_id=None, region_name=REGION, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(DestinationError, match="SSL"):
        hook.refresh_index_url(target("s3://bucket/dags/codeartifact.txt"), min_remaining=HOUR)
    assert tls_aws.requests == []


@pytest.mark.parametrize("trust", ["the bundle", "nothing is checked"])
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verify_applies_to_every_request(trust: str, certificate: Path, tls_aws: CannedAws) -> None:
    tls_aws.respond_with_token("canary", verdict=401)
    verify: bool | str = str(certificate) if trust == "the bundle" else False
    hook = CodeArtifactHook(aws_conn_id=None, region_name=REGION, verify=verify)
    with pytest.raises(TokenRejectedError):  # the last response: every request has arrived
        hook.refresh_index_url(target("s3://bucket/dags/codeartifact.txt"), min_remaining=HOUR)
    assert [request.partition("?")[0] for request in tls_aws.calls()] == [
        "HEAD /bucket/dags/codeartifact.txt",
        "GET /v1/repository/endpoint",
        "POST /v1/authorization-token",
        f"GET /pypi/{REPOSITORY}/simple/{PROBE}/",
        "HEAD /bucket/dags/codeartifact.txt",  # the current line, for the metric of the verdict
    ]
