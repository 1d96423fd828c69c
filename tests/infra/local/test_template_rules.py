"""CloudFormation's refusals before it creates anything, in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.cloudformation.exceptions import CloudFormationError, ValidationError

from infra.local.moto import template_rules

ACCOUNT, REGION = "123456789012", "eu-west-1"


def check(declaration: dict[str, Any], value: str | None = None, **template: Any) -> dict[str, str]:
    given = {} if value is None else {"P": value}
    body = json.dumps({"Parameters": {"P": declaration}, **template})
    return template_rules.check_parameters(body, given, ACCOUNT, REGION)


@pytest.mark.parametrize(
    ("declaration", "value", "sentence"),
    [
        ({"AllowedPattern": "^[a-z]+$"}, "A1", "Parameter 'P' must match pattern ^[a-z]+$"),
        ({"AllowedPattern": "[a-z]"}, "ab", "Parameter 'P' must match pattern [a-z]"),
        (
            {"AllowedPattern": "[a-z]+", "ConstraintDescription": "must be lower-case."},
            "A",
            "Parameter 'P' failed to satisfy constraint: must be lower-case.",
        ),
        ({"AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "Number", "AllowedValues": [1, 30]}, "31", "Parameter 'P' must be one of AllowedValues"),
        ({"MinLength": 2}, "a", "Parameter 'P' must contain at least 2 characters"),
        ({"MaxLength": 2}, "abc", "Parameter 'P' must contain at most 2 characters"),
        ({"Type": "Number", "MinValue": 1}, "0", "Parameter 'P' must be a number not less than 1"),
        ({"Type": "Number", "MaxValue": 25}, "26", "Parameter 'P' must be a number not greater than 25"),
        ({"Type": "Number"}, "many", "Parameter 'P' must be a number."),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]+"}, "a,B", "Parameter 'P' must match pattern [a-z]+"),
        ({}, None, "Parameters: [P] must have values"),
        (
            {"Type": "AWS::EC2::SecurityGroup::Id"},
            "sg-0missing",
            "Parameter validation failed: parameter value sg-0missing for parameter name P does not exist",
        ),
    ],
)
def test_a_value_that_breaks_a_constraint_is_refused(
    declaration: dict[str, Any], value: str | None, sentence: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        check({"Type": "String", **declaration}, value)
    assert refused.value.message == sentence


def test_defaults_are_values_too() -> None:
    assert check({"Type": "Number", "Default": 30, "AllowedValues": [1, 30]}) == {"P": "30"}
    with pytest.raises(ValidationError, match="must match"):
        check({"Type": "String", "Default": "", "AllowedPattern": ".+"})


def test_a_parameter_that_the_template_does_not_have_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"Parameters: \[Q\] do not exist in the template"):
        template_rules.check_parameters('{"Parameters": {}}', {"Q": "1"}, ACCOUNT, REGION)


def rules(condition: Any, assertion: Any) -> dict[str, Any]:
    rule = {"RuleCondition": condition, "Assertions": [{"Assert": assertion, "AssertDescription": "One worker only."}]}
    return {"Micro": rule}


MICRO = {"Fn::Equals": [{"Ref": "P"}, "micro"]}


@pytest.mark.parametrize(
    "assertion",
    [
        {"Fn::Equals": [{"Ref": "P"}, "small"]},
        {"Fn::Not": [{"Fn::Equals": [{"Ref": "P"}, "micro"]}]},
        {"Fn::Contains": [["small", "large"], {"Ref": "P"}]},
        {"Fn::And": [MICRO, {"Fn::Equals": ["1", "2"]}]},
        {"Fn::Or": [{"Fn::Equals": ["1", "2"]}, {"Fn::Equals": ["2", "1"]}]},
        {"Fn::EachMemberIn": [["micro"], ["small"]]},
        {"Fn::EachMemberEquals": [["small", "micro"], {"Ref": "P"}]},
    ],
)
def test_a_rule_whose_assertion_is_false_refuses_the_values(assertion: Any) -> None:
    with pytest.raises(ValidationError, match=r"One worker only\."):
        check({"Type": "String"}, "micro", Rules=rules(MICRO, assertion))
    check({"Type": "String"}, "small", Rules=rules(MICRO, assertion))


def test_rules_cannot_use_other_functions() -> None:
    with pytest.raises(ValidationError, match="Fn::Join is not a function that Rules may use"):
        check({"Type": "String"}, "a", Rules=rules({"Fn::Join": ["", ["a"]]}, MICRO))


ENDPOINTS = {
    "Transform": "AWS::LanguageExtensions",
    "Parameters": {"Services": {"Type": "CommaDelimitedList", "Default": "sts"}},
    "Resources": {
        "Fn::ForEach::Endpoints": [
            "Service",
            {"Ref": "Services"},
            {
                "Endpoint&{Service}": {
                    "Type": "AWS::EC2::VPCEndpoint",
                    "Properties": {"ServiceName": {"Ref": "Service"}},
                }
            },
        ]
    },
}


@pytest.mark.parametrize(
    ("services", "names"),
    [
        ("sts", {"Endpointsts": "sts"}),
        ("sts,ecr.api", {"Endpointsts": "sts", "Endpointecrapi": "ecr.api"}),
        # Source: aws-cloudformation/cfn-language-discussion #102 and #154.
        ("", {"Endpoint": ""}),
    ],
)
def test_for_each_goes_through_the_values_of_the_stacks_parameter(services: str, names: dict[str, str]) -> None:
    expanded = template_rules.expand(ENDPOINTS, {"Services": services}, REGION)
    assert {key: resource["Properties"]["ServiceName"] for key, resource in expanded["Resources"].items()} == names
    assert expanded["Parameters"] == ENDPOINTS["Parameters"]


def test_for_each_without_the_transform_is_refused() -> None:
    template = {name: section for name, section in ENDPOINTS.items() if name != "Transform"}
    with pytest.raises(ValidationError, match="needs the transform AWS::LanguageExtensions"):
        template_rules.expand(template, {"Services": "sts"}, REGION)


ROLE = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {}}}}
NAMED_ROLE = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}}}


@pytest.mark.parametrize(
    ("template", "given", "missing"),
    [
        (ROLE, [], "CAPABILITY_IAM"),
        (ROLE, ["CAPABILITY_IAM"], None),
        (ROLE, ["CAPABILITY_NAMED_IAM"], None),
        (NAMED_ROLE, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        (ENDPOINTS, [], None),
    ],
)
def test_iam_resources_need_a_capability(template: dict[str, Any], given: list[str], missing: str | None) -> None:
    if missing is None:
        template_rules.check_capabilities(template, given)
        return
    with pytest.raises(CloudFormationError) as refused:
        template_rules.check_capabilities(template, given)
    assert refused.value.code == "InsufficientCapabilitiesException"
    assert refused.value.message == f"Requires capabilities : [{missing}]"


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"QueueNam": "q"}, "#/QueueNam: Additional properties are not allowed ('QueueNam' was unexpected"),
        ({"MessageRetentionPeriod": "long"}, "#/MessageRetentionPeriod: 'long' is not of type 'integer'"),
        ({"Arn": "arn:aws:sqs:eu-west-1:123456789012:q"}, "#: Encountered read-only property /properties/Arn"),
    ],
)
def test_properties_that_the_types_schema_does_not_have_are_refused(properties: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="Properties validation failed for resource Q with message:") as refused:
        template_rules.check_properties("Q", "AWS::SQS::Queue", properties, REGION)
    assert sentence in str(refused.value)


def test_a_missing_required_property_is_refused() -> None:
    with pytest.raises(ValueError, match="'DomainName' is a required property"):
        template_rules.check_properties("G", "AWS::CodeArtifact::PackageGroup", {"Pattern": "/pypi/*"}, REGION)


def test_numbers_may_be_text_as_in_a_template() -> None:
    template_rules.check_properties("Q", "AWS::SQS::Queue", {"MessageRetentionPeriod": "1209600"}, REGION)


def test_a_circular_dependency_is_refused() -> None:
    template = {"Resources": {"A": {"Type": "AWS::SQS::Queue", "DependsOn": "B"},
                              "B": {"Type": "AWS::SQS::Queue", "DependsOn": ["A"]}}}  # fmt: skip
    with pytest.raises(ValidationError, match="Circular dependency between resources"):
        template_rules.dependencies(template, REGION)


def test_an_unknown_dependency_is_refused() -> None:
    template = {"Resources": {"A": {"Type": "AWS::SQS::Queue", "DependsOn": "Missing"}}}
    with pytest.raises(ValidationError, match=r"Unresolved resource dependencies \[Missing\]"):
        template_rules.dependencies(template, REGION)
