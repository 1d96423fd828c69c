"""The service model of MWAA, as botocore ships it: types and constraints of an environment's properties."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

# What CloudFormation's type takes besides CreateEnvironment's members.
_STRATEGY = "WorkerReplacementStrategy"


@cache
def _shape(operation: str) -> Any:
    return botocore.session.get_session().get_service_model("mwaa").operation_model(operation).input_shape


def typed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return CloudFormation's properties with the types of the service: a template's numbers arrive as strings."""
    return {
        name: _typed(value, _shape("CreateEnvironment").members[name])
        if name in _shape("CreateEnvironment").members
        else value
        for name, value in properties.items()
    }


def violations(properties: dict[str, Any]) -> Iterator[str]:
    """Return what breaks the model's constraints, in AWS's words. botocore itself checks types and minimums only.

    :param properties: those of AWS::MWAA::Environment, typed.
    """
    strategy = properties.get(_STRATEGY)
    if strategy is not None:
        yield from _violations(strategy, _shape("UpdateEnvironment").members[_STRATEGY], _STRATEGY)
    members = {name: value for name, value in properties.items() if name != _STRATEGY}
    report = ParamValidator().validate(members, _shape("CreateEnvironment"))
    if report.has_errors():
        yield report.generate_report()
    yield from _violations(members, _shape("CreateEnvironment"), "")


def _typed(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _typed(held, shape.members[name]) for name, held in value.items() if name in shape.members}
    if shape.type_name == "integer":
        with suppress(ValueError, TypeError):
            return int(value)
    if shape.type_name == "boolean":
        return str(value).lower() == "true" if isinstance(value, str) else value
    return value


def _violations(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in value.keys() & shape.members.keys():
            yield from _violations(value[name], shape.members[name], f"{path}.{name}".strip("."))
        return
    if shape.type_name == "map" and isinstance(value, dict):
        for name, held in value.items():
            yield from _violations(name, shape.key, path)
            yield from _violations(held, shape.value, f"{path}.{name}")
    if shape.type_name == "list" and isinstance(value, list):
        for member in value:
            yield from _violations(member, shape.member, path)
    if sentence := _constraint(value, shape):
        yield f"1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must {sentence}"


def _constraint(value: Any, shape: Shape) -> str | None:
    limits: dict[str, Any] = dict(shape.metadata)
    allowed, most, pattern = limits.get("enum"), limits.get("max"), limits.get("pattern", "")
    size = value if isinstance(value, int) else len(value)
    if most is not None and size > most:
        return f"have {'value' if isinstance(value, int) else 'length'} less than or equal to {most}"
    if allowed and value not in allowed:
        return f"satisfy enum value set: {allowed}"
    # Python's regular expressions have no \p{L}: the patterns of tags are left out.
    if pattern and "\\p" not in pattern and not re.fullmatch(pattern, value):
        return f"satisfy regular expression pattern: {pattern}"
    return None
