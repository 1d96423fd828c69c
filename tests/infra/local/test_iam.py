"""The stand-in refuses what a role's policies do not allow, as AWS does."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.moto import iam
from infra.local.moto.iam import assume_role
from infra.local.server import REGION
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.server import Server

    Clients = Callable[[str], Any]

OWNER = "123456789012"
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
READER = {
    "codeartifact:GetAuthorizationToken": "arn:aws:codeartifact:*:*:domain/*",
    "codeartifact:ReadFromRepository": "arn:aws:codeartifact:*:*:repository/*",
    "sts:GetServiceBearerToken": "*",
}


@pytest.fixture
def name(server: Server) -> str:
    """Create a bucket, a domain and a repository for the test; return their common name."""
    name = f"iam-{uuid4().hex[:12]}"
    server.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    server.codeartifact.create_domain(name)
    server.codeartifact.create_repository(name, name)
    return name


def role(server: Server, *statements: dict[str, object]) -> str:
    """Create a role that the Lambda service may assume; return its ARN."""
    name, iam = f"role-{uuid4().hex[:12]}", server.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
    return arn


def acting_as(server: Server, role_arn: str) -> Clients:
    keys = assume_role(role_arn, "lambda.amazonaws.com", REGION)
    session = boto3.Session(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"], region_name=REGION
    )
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    client: Any = session.client
    return lambda service: client(service, endpoint_url=server.endpoint_url, config=config)


def allowing(*actions: str, resource: str = "*") -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


def test_a_role_may_do_what_its_policy_names_on_the_resource_that_it_names(server: Server, name: str) -> None:
    may = allowing("s3:PutObject", resource=f"arn:aws:s3:::{name}/mine.txt")
    s3 = acting_as(server, role(server, may))("s3")
    s3.put_object(Bucket=name, Key="mine.txt", Body=b"x")
    assert code_of(lambda: s3.put_object(Bucket=name, Key="other.txt", Body=b"x")) == "AccessDenied"
    assert code_of(lambda: s3.get_object(Bucket=name, Key="mine.txt")) == "AccessDenied"


def test_an_explicit_deny_wins(server: Server) -> None:
    deny: dict[str, object] = {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    s3 = acting_as(server, role(server, allowing("s3:*"), deny))("s3")
    assert code_of(s3.list_buckets) == "AccessDenied"


def test_a_missing_object_is_404_only_for_a_caller_that_may_list_the_bucket(server: Server, name: str) -> None:
    get, listing = allowing("s3:GetObject"), allowing("s3:ListBucket")
    blind, seeing = (acting_as(server, role(server, *may))("s3") for may in ([get], [get, listing]))
    assert code_of(lambda: blind.head_object(Bucket=name, Key="missing")) == "403"
    assert code_of(lambda: seeing.head_object(Bucket=name, Key="missing")) == "404"


def test_the_metadata_of_a_version_needs_the_right_to_versions(server: Server, name: str) -> None:
    server.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = server.client("s3").put_object(Bucket=name, Key="key", Body=b"x")["VersionId"]
    s3 = acting_as(server, role(server, allowing("s3:GetObject", "s3:ListBucket")))("s3")
    s3.head_object(Bucket=name, Key="key")
    assert code_of(lambda: s3.head_object(Bucket=name, Key="key", VersionId=version)) == "403"


@pytest.mark.parametrize("missing", ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"])
def test_minting_needs_both_rights(server: Server, name: str, missing: str) -> None:
    may = [allowing(action, resource=resource) for action, resource in READER.items() if action != missing]
    codeartifact = acting_as(server, role(server, *may))("codeartifact")
    assert code_of(lambda: codeartifact.get_authorization_token(domain=name)) == "AccessDeniedException"


def test_a_domain_without_an_owner_is_the_callers(server: Server) -> None:
    name, codeartifact = f"iam-{uuid4().hex[:12]}", server.client("codeartifact")
    server.codeartifact.of("999999999999", REGION).create_domain(name)
    assert code_of(lambda: codeartifact.get_authorization_token(domain=name)) == "ResourceNotFoundException"
    assert codeartifact.get_authorization_token(domain=name, domainOwner="999999999999")["authorizationToken"]


def test_a_token_has_the_rights_of_its_minter_and_a_reader_cannot_publish(server: Server, name: str) -> None:
    may = [allowing(action, resource=resource) for action, resource in READER.items()]
    token = acting_as(server, role(server, *may))("codeartifact").get_authorization_token(domain=name)
    root = f"{server.endpoint_url}/{name}-{OWNER}.{REGION}/pypi/{name}/"
    login = "aws", token["authorizationToken"]
    assert requests.get(f"{root}simple/mine/", auth=login, timeout=10).status_code == 404
    file_name, content = wheel("mine", "1.0")
    form = {":action": "file_upload", "protocol_version": "1"}
    answer = requests.post(root, data=form, files={"content": (file_name, content)}, auth=login, timeout=10)
    assert answer.status_code == 403
    assert "not authorized to perform codeartifact:PublishPackageVersion on arn:aws:codeartifact:" in answer.text


def test_a_token_whose_minter_may_not_read_is_forbidden(server: Server, name: str) -> None:
    may = [allowing(action, resource=resource) for action, resource in READER.items() if "Read" not in action]
    token = acting_as(server, role(server, *may))("codeartifact").get_authorization_token(domain=name)
    url = f"{server.endpoint_url}/{name}-{OWNER}.{REGION}/pypi/{name}/simple/pip/"
    assert requests.get(url, auth=("aws", token["authorizationToken"]), timeout=10).status_code == 403


def test_a_role_is_not_assumed_by_a_service_that_it_does_not_trust(server: Server) -> None:
    with pytest.raises(PermissionError, match=r"does not trust airflow-env\.amazonaws\.com"):
        assume_role(role(server, allowing("*")), "airflow-env.amazonaws.com", REGION)


def test_a_role_is_assumed_only_by_trusted_principals_whose_policies_allow_it(server: Server) -> None:
    def trusting(principal: str) -> str:
        arn = role(server, allowing("s3:ListAllMyBuckets"))
        trust = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        server.client("iam").update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=policy)
        return arn

    open_role, closed = trusting(f"arn:aws:iam::{OWNER}:root"), trusting(f"arn:aws:iam::{OWNER}:user/somebody-else")
    may, may_not = allowing("sts:AssumeRole"), allowing("sts:AssumeRole", resource="arn:aws:iam::*:role/other")
    sts, stranger = (acting_as(server, role(server, each))("sts") for each in (may, may_not))

    def assume(client: Any, arn: str) -> Callable[[], object]:
        return lambda: client.assume_role(RoleArn=arn, RoleSessionName="test")

    assert assume(sts, open_role)()
    assert code_of(assume(sts, closed)) == "AccessDenied"
    assert code_of(assume(sts, f"{closed}-gone")) == "AccessDenied"
    assert code_of(assume(stranger, open_role)) == "AccessDenied"


def test_a_request_needs_a_known_key_its_secret_and_a_signature(server: Server) -> None:
    def listing(key: str, secret: str) -> Callable[[], object]:
        session: Any = boto3.Session(key, secret, region_name=REGION)
        s3 = session.client("s3", endpoint_url=server.endpoint_url)
        method: Callable[[], object] = s3.list_buckets
        return method

    key = server.environ["AWS_ACCESS_KEY_ID"]
    assert code_of(listing("AKIAUNKNOWN", "secret")) == "InvalidAccessKeyId"
    assert code_of(listing(key, "wrong")) == "SignatureDoesNotMatch"
    assert requests.get(server.endpoint_url, timeout=10).status_code == 403


def test_a_roles_policy_may_take_seconds_to_apply(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_IAM_PROPAGATION_SECONDS", "3600")
    s3 = acting_as(server, role(server, allowing("s3:ListBucket")))("s3")
    assert code_of(lambda: s3.list_objects_v2(Bucket=name)) == "AccessDenied"
    monkeypatch.setattr(iam, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 3600))
    assert s3.list_objects_v2(Bucket=name)


def test_every_decision_is_recorded(server: Server, name: str) -> None:
    arn = role(server, allowing("s3:ListBucket"))
    s3 = acting_as(server, arn)("s3")
    s3.list_objects_v2(Bucket=name)
    code_of(lambda: s3.list_object_versions(Bucket=name))
    kept = {(call.action, call.resource, call.allowed) for call in server.iam.calls if arn[-12:] in call.principal}
    resource = f"arn:aws:s3:::{name}"
    assert kept == {("s3:ListBucket", resource, True), ("s3:ListBucketVersions", resource, False)}
