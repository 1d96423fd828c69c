"""CloudFormation's checks before it creates anything: parameters, rules, transform and properties.

Sources: for parameters and the messages, CloudFormation user guide, "Parameters" and "Rules"; for the schemas and
Fn::ForEach, cfn-lint's own code.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

from cfnlint.jsonschema import CfnTemplateValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from cfnlint.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.ec2.models import ec2_backends

from infra.cli.rules import broken_rules, references
from infra.cli.templates import Parameter, all_resources, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TRANSFORM = "AWS::LanguageExtensions"
_SENTENCES = {
    "Type": "be a number.",
    "AllowedValues": "be one of AllowedValues",
    "AllowedPattern": "match pattern {}",
    "MinLength": "contain at least {} characters",
    "MaxLength": "contain at most {} characters",
    "MinValue": "be a number not less than {}",
    "MaxValue": "be a number not greater than {}",
}


def check_capabilities(template: Mapping[str, Any], given: Iterable[str]) -> None:
    """Refuse a template with IAM resources if the request lacks the capability.

    Source: API reference, CreateChangeSet, Capabilities; with a change set a transform needs no capability.
    """
    iam = [r.get("Properties", {}) for r in all_resources(template).values() if r["Type"].startswith("AWS::IAM::")]
    named = any({"RoleName", "UserName", "GroupName", "ManagedPolicyName"} & properties.keys() for properties in iam)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if iam and not {"CAPABILITY_NAMED_IAM", needed} & {*given}:
        raise CloudFormationError("InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]")


def check_parameters(template: str, given: Mapping[str, str], account_id: str, region: str) -> dict[str, str]:
    """Return the values of all parameters, with defaults; refuse values that break their constraints or the Rules."""
    content = parse(template)
    declared = {name: Parameter(name, rules) for name, rules in content.get("Parameters", {}).items()}
    if unknown := sorted(given.keys() - declared.keys()):
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {name: parameter.default for name, parameter in declared.items() if parameter.default is not None}
    values |= given
    if missing := sorted(declared.keys() - values.keys()):
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    for name, parameter in declared.items():
        _check_value(parameter, values[name], ec2_backends[account_id][region])
    rules = content.get("Rules", {})
    if foreign := sorted(set(references(rules)) - declared.keys()):
        raise ValidationError(message=f"Template format error: Rules cannot refer to {', '.join(foreign)}")
    try:
        broken = broken_rules(rules, values)
    except KeyError as error:
        message = f"Template format error: {error.args[0]} is not a function that Rules may use"
        raise ValidationError(message=message) from error
    if broken:
        raise ValidationError(message=f"Template validation error: {' '.join(rule.description for rule in broken)}")
    return values


def _check_value(parameter: Parameter, value: str, ec2: Any) -> None:
    # Spaces around the members of a list are removed. Guide, "Parameters": CommaDelimitedList.
    broken = parameter.broken_constraint(re.sub(r"\s*,\s*", ",", value.strip()) if parameter.is_list else value)
    if broken:
        sentence = f"must {_SENTENCES[broken].format(parameter.rules[broken])}"
        if described := parameter.rules.get("ConstraintDescription"):
            sentence = f"failed to satisfy constraint: {described}"
        raise ValidationError(message=f"Parameter '{parameter.name}' {sentence}")
    is_group = parameter.rules.get("Type") == "AWS::EC2::SecurityGroup::Id"
    if is_group and not ec2.get_security_group_from_id(value):
        reason = f"parameter value {value} for parameter name {parameter.name} does not exist"
        raise ValidationError(message=f"Parameter validation failed: {reason}")


def expand(template: dict[str, Any], values: Mapping[str, str], region: str) -> dict[str, Any]:
    """Return the template after the transform AWS::LanguageExtensions; refuse other transforms."""
    if "Transform" not in template:
        if any(name.startswith("Fn::") for name in template["Resources"]):
            raise ValidationError(message=f"Template format error: Fn::ForEach needs the transform {_TRANSFORM}")
        return template
    if template["Transform"] != _TRANSFORM:
        raise ValidationError(message=f"No transform named {template['Transform']} found.")
    given = deepcopy(template)
    for name, declaration in given.get("Parameters", {}).items():
        # An empty list contains one empty string: aws-cloudformation/cfn-language-discussion #102 and #154. cfn-lint
        # reads "" as no value, and strips the members of lists.
        declaration["Default"] = values[name] or " "
    problems, expanded = language_extension(Template("", given, [region]))
    if problems or expanded is None:
        reasons = "; ".join(problem.message for problem in problems)
        raise ValidationError(message=f"Transform {_TRANSFORM} failed with: {reasons}. Rollback requested by user.")
    del expanded["Transform"]
    return {**expanded, "Parameters": template.get("Parameters", {})}


def dependencies(template: dict[str, Any], region: str) -> dict[str, set[str]]:
    """Return for each resource the ones that it refers to or depends on; refuse circular dependencies."""
    parsed, resources = Template("", template, [region]), template["Resources"]
    for name, resource in resources.items():
        named = resource.get("DependsOn", [])
        if unknown := sorted(({named} if isinstance(named, str) else {*named}) - resources.keys()):
            where = f"[{', '.join(unknown)}] in the Resources block of the template ({name})"
            raise ValidationError(message=f"Template format error: Unresolved resource dependencies {where}")
    if circle := parsed.graph.get_cycles(parsed):
        raise ValidationError(message=f"Circular dependency between resources: [{', '.join(circle[0][:2])}]")
    return {name: {*parsed.graph.graph.successors(name)} & resources.keys() for name in resources}


@cache
def schema(resource_type: str, region: str) -> dict[str, Any]:
    """Return the resource provider's schema in cfn-lint, or an empty one."""
    if resource_type not in PROVIDER_SCHEMA_MANAGER.get_resource_types(region):
        return {}
    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, resource_type).schema)


def check_properties(logical_id: str, resource_type: str, properties: dict[str, Any], region: str) -> None:
    """Check resolved properties by their schema; raise ValueError like the CloudFormation CLI's handlers."""
    known = schema(resource_type, region)
    validator = CfnTemplateValidator(schema=known)
    # As in a template, "1" is a number and "true" a boolean.
    validator = validator.evolve(context=validator.context.evolve(strict_types=False, regions=[region]))
    errors = [f"#/{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(properties)]
    read_only = [pointer for pointer in known.get("readOnlyProperties", []) if _at(properties, pointer) is not None]
    if errors := sorted(errors + [f"#: Encountered read-only property {pointer}" for pointer in read_only]):
        lines = "\n".join(errors)
        raise ValueError(f"Properties validation failed for resource {logical_id} with message:\n{lines}")


def replaces(resource_type: str, old: dict[str, Any] | None, new: dict[str, Any], region: str) -> bool:
    """Return whether an update changes one of the createOnlyProperties in the schema and so replaces the resource."""
    create_only = schema(resource_type, region).get("createOnlyProperties", [])
    return old is not None and any(_at(old, pointer) != _at(new, pointer) for pointer in create_only)


def _at(properties: Any, pointer: str) -> Any:
    for name in pointer.split("/")[2:]:
        properties = properties.get(name) if isinstance(properties, dict) else None
    return properties
