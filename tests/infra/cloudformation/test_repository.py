"""The CodeArtifact repository, the origins of its packages, and the bucket."""

from __future__ import annotations

from typing import Any

import pytest

from infra.cli.templates import read_templates
from infra.local.codeartifact.package_groups import OriginType, PackageGroups
from mwaa_codeartifact.status.timeline import TIMELINE
from tests.infra.cloudformation.support import ACCOUNT, REGION, Stack, may, statements

TEMPLATES = read_templates()
PROBE = "mwaa-codeartifact-probe"
PUBLISH, PUBLIC_INDEX = OriginType.PUBLISH, OriginType.EXTERNAL_UPSTREAM


def repository(**parameters: str) -> Stack:
    return Stack("repository", DomainName="data", RepositoryName="python", BucketName="bucket", **parameters)


@pytest.fixture(scope="module")
def default() -> Stack:
    return repository()


def domain_with(in_house: str) -> PackageGroups:
    """Return the package groups of a domain, made by the stack in some order that its dependencies allow."""
    groups = PackageGroups()
    for properties in repository(InHousePackages=in_house).of("AWS::CodeArtifact::PackageGroup").values():
        restrictions = properties["OriginConfiguration"]["Restrictions"]
        ways = {"Publish": PUBLISH, "ExternalUpstream": PUBLIC_INDEX, "InternalUpstream": OriginType.INTERNAL_UPSTREAM}
        modes = {ways[way]: restriction["RestrictionMode"] for way, restriction in restrictions.items()}
        groups.create(properties["Pattern"], modes)
    return groups


def ways_in(groups: PackageGroups, name: str) -> set[OriginType]:
    return {way for way in (PUBLISH, PUBLIC_INDEX) if groups.allow(name, way)}


@pytest.mark.parametrize("in_house", ["acme-*,other", "other,acme-*", ",".join(["acme-*", "other", *"abcdefghij"])])
def test_in_house_names_come_from_publishing_only_and_all_others_from_upstream_only(in_house: str) -> None:
    groups = domain_with(in_house)
    assert all(ways_in(groups, name) == {PUBLISH} for name in ("acme", "acme-tools", "acme-a-b", "other"))
    assert all(ways_in(groups, name) == {PUBLIC_INDEX} for name in ("acmetools", "other-thing", "anothe", "numpy"))


def test_without_in_house_names_codeartifacts_default_applies() -> None:
    assert ways_in(domain_with(""), "numpy") == {PUBLISH, PUBLIC_INDEX}


@pytest.mark.parametrize("in_house", ["", "mwaa-*", "other"])
def test_no_package_can_have_the_name_by_which_a_token_is_verified(in_house: str) -> None:
    groups = domain_with(in_house)
    assert not [way for way in OriginType if groups.allow(PROBE, way)]


def test_names_keep_their_resources_whatever_their_order() -> None:
    # Otherwise an update would create a group under another resource's name while the old one exists.
    def patterns(in_house: str) -> dict[str, str]:
        groups = repository(InHousePackages=in_house).of("AWS::CodeArtifact::PackageGroup")
        return {name: group["Pattern"] for name, group in groups.items()}

    assert patterns("b,acme-*,a").items() >= patterns("acme-*,b").items()


def test_the_fixed_package_groups_are_created_first_and_one_after_the_other() -> None:
    stack = repository(InHousePackages="a,b-*")
    first, second, *in_house = stack.of("AWS::CodeArtifact::PackageGroup")
    assert first in stack.waits_for(second)
    assert len(in_house) == 2
    assert all({first, second} <= stack.waits_for(name) for name in in_house)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("acme-greeting", True),
        ("acme-*,other,x9-y-*", True),
        ("a,b,c,d,e,f,g", True),
        (",acme-*", False),
        ("acme*", False),
        ("*", False),
        ("-*", False),
        ("Acme", False),
        ("acme.tool", False),
        ("acme-", False),
        ("acme--tool", False),
        ("a, b", False),
        (PROBE, False),
    ],
)
def test_names_are_normalized_and_a_wildcard_follows_a_word(value: str, *, good: bool) -> None:
    rule = TEMPLATES["repository"].parameters["InHousePackages"].broken_rule(value)
    assert (rule is None) is good


def test_no_policy_grants_others_access_to_domain_or_repository(default: Stack) -> None:
    for name in ("Domain", "Repository"):
        assert "PermissionsPolicyDocument" not in default.resources[name]["Properties"]


def test_replaced_index_urls_are_kept_as_long_as_the_timeline_and_no_other_object_expires(
    default: Stack,
) -> None:
    (rule,) = default.resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    variables = Stack("refresher").resources["Refresher"]["Properties"]["Environment"]["Variables"]
    assert variables["CODEARTIFACT_DESTINATION"].endswith(f"/{rule['Prefix']}")
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == TIMELINE.days
    assert not {"ExpirationInDays", "ExpirationDate"} & set(rule)


@pytest.mark.parametrize(("secure", "allowed"), [("true", True), ("false", False)])
def test_the_bucket_accepts_requests_over_tls_only(default: Stack, secure: str, *, allowed: bool) -> None:
    policy = default.resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for resource in ("Bucket.Arn", "${Bucket.Arn}/dags/codeartifact.txt"):
        assert may([everything, *policy], "s3:GetObject", resource, aws_SecureTransport=secure) is allowed


def test_the_bucket_is_private(default: Stack) -> None:
    assert set(default.resources["Bucket"]["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


def test_the_repository_is_created_after_its_domain(default: Stack) -> None:
    assert "Domain" in default.waits_for("Repository")


def test_a_rename_keeps_the_old_domain_repository_or_bucket_and_a_deleted_stack_keeps_none(default: Stack) -> None:
    for name in ("Domain", "Repository", "Bucket"):
        assert default.resources[name]["DeletionPolicy"] == "Delete"
        assert default.resources[name]["UpdateReplacePolicy"] == "Retain"


PACKAGE = f"arn:aws:codeartifact:{REGION}:{ACCOUNT}:package/data"


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("codeartifact:GetAuthorizationToken", "Domain.Arn", True),
        ("codeartifact:GetRepositoryEndpoint", "Repository.Arn", True),
        ("codeartifact:ReadFromRepository", "Repository.Arn", True),
        ("codeartifact:PublishPackageVersion", f"{PACKAGE}/python/pypi//acme", True),
        ("codeartifact:PublishPackageVersion", f"{PACKAGE}/python/npm//acme", False),
        ("codeartifact:PublishPackageVersion", f"{PACKAGE}/another/pypi//acme", False),
        ("codeartifact:DeletePackageVersions", f"{PACKAGE}/python/pypi//acme", False),
        ("codeartifact:PutPackageOriginConfiguration", f"{PACKAGE}/python/pypi//acme", False),
    ],
)
def test_the_publisher_may_read_and_publish_python_packages_of_this_repository_and_nothing_else(
    default: Stack, action: str, resource: str, *, allowed: bool
) -> None:
    assert may(statements(default, "PublisherRole"), action, resource) is allowed


def test_the_publisher_trusts_the_account_or_the_principals_of_the_setting(default: Stack) -> None:
    def trusted(stack: Stack) -> Any:
        (trust,) = stack.resources["PublisherRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        return trust["Principal"]["AWS"]

    people = [f"arn:aws:iam::{ACCOUNT}:role/ci", f"arn:aws:iam::{ACCOUNT}:user/jo"]
    assert trusted(default) == f"arn:aws:iam::{ACCOUNT}:root"
    assert trusted(repository(PublisherPrincipals=",".join(people))) == people
