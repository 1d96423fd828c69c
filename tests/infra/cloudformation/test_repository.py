"""The CodeArtifact repository and the bucket."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mwaa_codeartifact.core.timeline import TIMELINE
from tests.infra.cloudformation.support import resources, statements

PACKAGE_GROUP = "AWS::CodeArtifact::PackageGroup"


@pytest.fixture
def bucket(repository: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = repository["Resources"]["Bucket"]["Properties"]
    return properties


def test_the_repository_is_connected_to_the_public_index_and_made_after_its_domain(repository: dict[str, Any]) -> None:
    properties = repository["Resources"]["Repository"]["Properties"]
    assert properties["ExternalConnections"] == ["public:pypi"]
    assert properties["DomainName"] == {"Fn::GetAtt": ["Domain", "Name"]}


def test_nothing_grants_others_access_to_domain_or_repository(repository: dict[str, Any]) -> None:
    for name in ("Domain", "Repository"):
        assert "PermissionsPolicyDocument" not in repository["Resources"][name]["Properties"]


def test_the_bucket_keeps_versions(bucket: dict[str, Any]) -> None:
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_bucket_is_encrypted_with_a_managed_key(bucket: dict[str, Any]) -> None:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_the_bucket_is_private(bucket: dict[str, Any]) -> None:
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_replaced_index_urls_are_kept_for_as_long_as_the_status_page_shows_and_nothing_else_expires(
    bucket: dict[str, Any],
) -> None:
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Prefix"] == "dags/codeartifact.txt"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": TIMELINE.days}
    assert not {"ExpirationInDays", "ExpirationDate"} & set(rule)


def test_the_bucket_answers_over_tls_only(repository: dict[str, Any]) -> None:
    policy = repository["Resources"]["BucketPolicy"]["Properties"]
    assert policy["Bucket"] == {"Ref": "Bucket"}
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Action"] == "s3:*"
    assert statement["Resource"] == [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_renamed_domain_repository_or_bucket_leaves_the_old_one_and_a_deleted_stack_none(
    repository: dict[str, Any],
) -> None:
    for name in ("Domain", "Repository", "Bucket"):
        assert repository["Resources"][name]["DeletionPolicy"] == "Delete"
        assert repository["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_the_arns_name_this_partition_region_and_account(repository: dict[str, Any]) -> None:
    prefix = "arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:"
    outputs = repository["Outputs"]
    assert outputs["DomainOwner"]["Value"] == {"Ref": "AWS::AccountId"}
    assert outputs["DomainArn"]["Value"] == {"Fn::Sub": prefix + "domain/${DomainName}"}
    assert outputs["RepositoryArn"]["Value"] == {"Fn::Sub": prefix + "repository/${DomainName}/${RepositoryName}"}


def test_in_house_names_come_from_publishing_only_and_all_others_from_upstream_only(repository: dict[str, Any]) -> None:
    groups = {name: group["Properties"] for name, group in resources(repository, PACKAGE_GROUP).items()}
    modes = {
        name: {
            way: restriction["RestrictionMode"]
            for way, restriction in group["OriginConfiguration"]["Restrictions"].items()
        }
        for name, group in groups.items()
    }
    in_house = {"Publish": "ALLOW", "ExternalUpstream": "BLOCK", "InternalUpstream": "ALLOW"}
    assert modes.pop("PublicPackages") == {"Publish": "BLOCK", "ExternalUpstream": "ALLOW", "InternalUpstream": "ALLOW"}
    assert groups["PublicPackages"]["Pattern"] == "/pypi/*"
    assert modes == dict.fromkeys([f"InHousePackages{place}" for place in range(1, 6)], in_house)
    assert all(group["DomainName"] == {"Fn::GetAtt": ["Domain", "Name"]} for group in groups.values())


def test_without_in_house_names_there_is_no_package_group(repository: dict[str, Any]) -> None:
    assert repository["Parameters"]["InHousePackages"]["Default"] == ""
    assert {name: group["Condition"] for name, group in resources(repository, PACKAGE_GROUP).items()} == {
        "PublicPackages": "HasInHousePackages",
        **{f"InHousePackages{place}": f"HasInHousePackage{place}" for place in range(1, 6)},
    }


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("acme-greeting", True),
        ("acme-*", True),
        ("acme-*,other,x9-y-*", True),
        (",acme-*", True),
        ("a,b,c,d,e", True),
        ("a,b,c,d,e,f", False),
        ("acme*", False),
        ("*", False),
        ("-*", False),
        ("Acme", False),
        ("acme_tool", False),
        ("acme.tool", False),
        ("acme-", False),
        ("acme--tool", False),
        ("a, b", False),
    ],
)
def test_names_are_normalized_and_a_wildcard_follows_a_word(
    repository: dict[str, Any], value: str, *, good: bool
) -> None:
    pattern = repository["Parameters"]["InHousePackages"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) is good


def test_the_publisher_may_read_and_publish_python_packages_of_this_repository_and_nothing_else(
    repository: dict[str, Any],
) -> None:
    package = (
        "arn:${AWS::Partition}:codeartifact:${AWS::Region}:${AWS::AccountId}:"
        "package/${DomainName}/${RepositoryName}/pypi//*"
    )
    granted = {
        sid: (statement["Action"], statement["Resource"], statement.get("Condition"))
        for sid, statement in statements(repository).items()
    }
    assert granted == {
        "MintToken": ("codeartifact:GetAuthorizationToken", {"Fn::GetAtt": ["Domain", "Arn"]}, None),
        "MintTokenThroughSts": (
            "sts:GetServiceBearerToken",
            "*",
            {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
        ),
        "ReadRepository": (
            ["codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"],
            {"Fn::GetAtt": ["Repository", "Arn"]},
            None,
        ),
        "PublishPackages": ("codeartifact:PublishPackageVersion", {"Fn::Sub": package}, None),
    }


def test_the_publisher_trusts_the_account_or_whom_the_setting_names(repository: dict[str, Any]) -> None:
    (trust,) = repository["Resources"]["PublisherRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    account = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    named = {"Fn::Split": [",", {"Ref": "PublisherPrincipals"}]}
    assert trust == {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::If": ["HasPublisherPrincipals", named, account]}},
        "Action": "sts:AssumeRole",
    }
