"""The CodeArtifact repository and the bucket."""

from __future__ import annotations

from typing import Any

import pytest


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


def test_replaced_index_urls_expire_after_a_day_and_nothing_else_does(bucket: dict[str, Any]) -> None:
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Prefix"] == "dags/codeartifact.txt"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
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
