"""What CloudFormation checks before it makes anything: parameters, rules, transform and properties.

Source of the rules on parameters and their words: CloudFormation user guide, "Parameters" and "Rules"; of the schemas
and of Fn::ForEach: cfn-lint's own code.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_TRANSFORM = "AWS::LanguageExtensions"
# The types of parameters that must name something that exists, and where it is looked for.
_EXISTING: dict[str, Callable[[Any, str], object]] = {
    "AWS::EC2::SecurityGroup::Id": lambda ec2, value: ec2.get_security_group_from_id(value),
    "AWS::EC2::Subnet::Id": lambda ec2, value: value in {subnet.id for subnet in ec2.get_all_subnets()},
    "AWS::EC2::VPC::Id": lambda ec2, value: ec2.get_vpc(value),
    "AWS::EC2::AvailabilityZone::Name": lambda ec2, value: ec2.get_zone_by_name(value),
}


class InsufficientCapabilitiesError(CloudFormationError):
    """The template does more than the caller has acknowledged."""

    code = "InsufficientCapabilitiesException"


def check_capabilities(template: Mapping[str, Any], given: Iterable[str], *, directly: bool) -> None:
    """Refuse a template whose IAM resources or transform are not acknowledged.

    A transform needs CAPABILITY_AUTO_EXPAND only where no change set is between template and stack. Source: API
    reference, CreateChangeSet and CreateStack, Capabilities.

    :param given: such as CAPABILITY_IAM.
    :param directly: for CreateStack.
    :raises InsufficientCapabilitiesError: otherwise.
    """
    iam = [r for r in all_resources(template).values() if r["Type"].startswith("AWS::IAM::")]
    named = any(
        {"RoleName", "UserName", "GroupName", "ManagedPolicyName"} & r.get("Properties", {}).keys() for r in iam
    )
    needed = ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"] if iam else []
    needed += ["CAPABILITY_AUTO_EXPAND"] if directly and "Transform" in template else []
    acknowledged = {*given, *(["CAPABILITY_IAM"] if "CAPABILITY_NAMED_IAM" in given else [])}
    if missing := [capability for capability in needed if capability not in acknowledged]:
        raise InsufficientCapabilitiesError(f"Requires capabilities : [{', '.join(missing)}]")


def all_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources, those inside of Fn::ForEach among them.

    :param template: before its expansion.
    """
    found: dict[str, Any] = {}
    for name, resource in template.get("Resources", {}).items():
        found |= all_resources({"Resources": resource[2]}) if name.startswith("Fn::ForEach") else {name: resource}
    return found


def check_parameters(
    template: Mapping[str, Any], given: Mapping[str, Any], account_id: str, region: str
) -> dict[str, str]:
    """Return the values of all parameters, defaults too, once they satisfy their constraints and the Rules.

    :param given: values as text; a list or a number as moto keeps it.
    :raises ValidationError: when they do not.
    """
    declared = template.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise ValidationError(message=f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {name: given.get(name, declaration.get("Default")) for name, declaration in declared.items()}
    if missing := sorted(name for name, value in values.items() if value is None):
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    texts = {name: _text(value) for name, value in values.items()}
    for name, declaration in declared.items():
        if broken := _broken(name, declaration, texts[name]):
            described = declaration.get("ConstraintDescription")
            raise ValidationError(
                message=f"Parameter '{name}' failed to satisfy constraint: {described}" if described else broken
            )
        exists = _EXISTING.get(declaration.get("Type", ""))
        if exists and not exists(ec2_backends[account_id][region], texts[name]):
            raise ValidationError(
                message=f"Parameter validation failed: parameter value {texts[name]} for parameter name {name} "
                "does not exist"
            )
    _check_rules(template.get("Rules", {}), texts)
    return texts


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _broken(name: str, declaration: Mapping[str, Any], value: str) -> str | None:
    """Return the sentence for the first constraint that a value breaks; each member of a list has to satisfy them."""
    kind = declaration.get("Type", "String")
    for item in [part.strip() for part in value.split(",")] if "List" in kind else [value]:
        if "Number" in kind and not re.fullmatch(r"[+-]?\d+(\.\d+)?", item):
            return f"Parameter '{name}' must be a number."
        if "AllowedValues" in declaration and item not in map(_text, declaration["AllowedValues"]):
            return f"Parameter '{name}' must be one of AllowedValues"
        # Whole values are matched: guide, "AllowedPattern".
        if "AllowedPattern" in declaration and not re.fullmatch(declaration["AllowedPattern"], item):
            return f"Parameter '{name}' must match pattern {declaration['AllowedPattern']}"
        measured = (("Length", len(item), "contain {} {} characters"), ("Value", item, "be a number not {} {}"))
        for what, size, words in measured:
            least, most = declaration.get(f"Min{what}"), declaration.get(f"Max{what}")
            if least is not None and float(size) < float(least):
                return f"Parameter '{name}' must " + words.format(
                    "at least" if what == "Length" else "less than", least
                )
            if most is not None and float(size) > float(most):
                return f"Parameter '{name}' must " + words.format(
                    "at most" if what == "Length" else "greater than", most
                )
    return None


def _check_rules(rules: Mapping[str, Any], values: Mapping[str, str]) -> None:
    """Evaluate the template's Rules.

    :raises ValidationError: with the descriptions of the assertions that do not hold.
    """
    for name, rule in rules.items():
        if "RuleCondition" in rule and not _evaluated(rule["RuleCondition"], values):
            continue
        failed = [
            assertion.get("AssertDescription", f"the assertion {number} does not hold")
            for number, assertion in enumerate(rule["Assertions"], 1)
            if not _evaluated(assertion["Assert"], values)
        ]
        if failed:
            raise ValidationError(message=f"Template validation error: Rule {name} failed: {' '.join(failed)}")


def _evaluated(expression: Any, values: Mapping[str, str]) -> Any:
    """Evaluate a rule-specific function. Source: guide, "CloudFormation Rules syntax", rule functions.

    :raises ValidationError: for one that is not among them, such as Fn::Join, or for a resource.
    """
    if isinstance(expression, list):
        return [_evaluated(part, values) for part in expression]
    if not isinstance(expression, dict):
        return _text(expression)
    ((function, arguments),) = expression.items()
    if function == "Ref":
        if arguments not in values:
            raise ValidationError(message=f"Template format error: Rules cannot refer to {arguments}")
        return values[arguments]
    functions: dict[str, Callable[..., bool]] = {
        "Fn::And": lambda *parts: all(parts),
        "Fn::Or": lambda *parts: any(parts),
        "Fn::Not": lambda part: not part,
        "Fn::Equals": lambda one, other: one == other,
        "Fn::Contains": lambda many, one: one in many,
        "Fn::EachMemberEquals": lambda many, one: all(member == one for member in many),
        "Fn::EachMemberIn": lambda many, others: set(many) <= set(others),
    }
    if function not in functions:
        raise ValidationError(message=f"Template format error: {function} is not a function that Rules may use")
    return functions[function](*_evaluated(arguments, values))


class _Value(str):
    """A parameter's value that cfn-lint takes for given even when it is empty: then a list holds one empty string.

    Source: aws-cloudformation/cfn-language-discussion #102 and #154: Fn::ForEach goes once through an empty list.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def expand(template: dict[str, Any], values: Mapping[str, str], region: str) -> dict[str, Any]:
    """Return the template with its AWS::LanguageExtensions carried out.

    :param values: of all parameters.
    :raises ValidationError: if that fails, or another transform is asked for.
    """
    transform = template.get("Transform", [])
    transforms = [transform] if isinstance(transform, str) else transform
    if others := [name for name in transforms if name != _TRANSFORM]:
        raise ValidationError(message=f"No transform named {others[0]} found.")
    if not transforms:
        if any(name.startswith("Fn::") for name in template.get("Resources", {})):
            raise ValidationError(message=f"Template format error: Fn::ForEach needs the transform {_TRANSFORM}")
        return template
    given = deepcopy(template)
    for name, declaration in given.get("Parameters", {}).items():
        declaration["Default"] = _Value(values[name])
    problems, expanded = language_extension(Template("", given, [region]))
    if problems or expanded is None:
        reasons = "; ".join(problem.message for problem in problems)
        raise ValidationError(message=f"Transform {_TRANSFORM} failed with: {reasons}. Rollback requested by user.")
    del expanded["Transform"]
    return {**expanded, **{section: template[section] for section in ("Parameters",) if section in template}}


def dependencies(template: dict[str, Any], region: str) -> dict[str, set[str]]:
    """Return for each resource those that it refers to or depends on.

    :raises ValidationError: if they depend on one another in a circle.
    """
    parsed = Template("", template, [region])
    resources = template["Resources"]
    for name, resource in resources.items():
        named = resource.get("DependsOn", [])
        if unknown := sorted({named} - resources.keys() if isinstance(named, str) else set(named) - resources.keys()):
            raise ValidationError(
                message="Template format error: Unresolved resource dependencies "
                f"[{', '.join(unknown)}] in the Resources block of the template ({name})"
            )
    if parsed.graph is None:
        raise ValidationError(message="Template format error: its resources cannot be read")
    if circle := parsed.graph.get_cycles(parsed):
        raise ValidationError(message=f"Circular dependency between resources: [{', '.join(circle[0][:2])}]")
    found: dict[str, set[str]] = {name: set() for name in resources}
    for source, target in parsed.graph.graph.edges():
        if source in found:
            found[source].add(target)
    return found


@cache
def schema(resource_type: str, region: str) -> dict[str, Any] | None:
    """Return the resource provider's schema that cfn-lint ships; None for a type without one."""
    if resource_type.startswith("Custom::") or resource_type not in PROVIDER_SCHEMA_MANAGER.get_resource_types(region):
        return None
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, resource_type).schema
    return found


def check_properties(logical_id: str, resource_type: str, properties: dict[str, Any], region: str) -> None:
    """Check a resource's resolved properties against its type's schema.

    :raises ValueError: in the form of the CloudFormation CLI's handlers.
    """
    known = schema(resource_type, region)
    if known is None:
        return
    validator = CfnTemplateValidator(schema=known)
    # As in a template, "1" is a number and "true" a boolean.
    validator = validator.evolve(context=validator.context.evolve(strict_types=False, regions=[region]))
    errors = [f"#/{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(properties)]
    errors += [
        f"#: Encountered read-only property {pointer}"
        for pointer in known.get("readOnlyProperties", [])
        if _at(properties, pointer) is not None
    ]
    if errors:
        raise ValueError(
            f"Properties validation failed for resource {logical_id} with message:\n" + "\n".join(sorted(errors))
        )


def replaces(resource_type: str, old: dict[str, Any], new: dict[str, Any], region: str) -> bool:
    """Return whether a change of properties replaces the resource: the schema names them createOnlyProperties."""
    known = schema(resource_type, region) or {}
    return any(_at(old, pointer) != _at(new, pointer) for pointer in known.get("createOnlyProperties", []))


def _at(properties: Any, pointer: str) -> Any:
    for name in pointer.split("/")[2:]:
        if not isinstance(properties, dict):
            return None
        properties = properties.get(name)
    return properties
