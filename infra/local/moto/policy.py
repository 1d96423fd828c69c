"""Evaluate IAM policy documents; moto supports only StringEquals.

Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements reference".
"""

from __future__ import annotations

import re
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLACEHOLDER = re.compile(r"(\$\{[^}]*\}|\*|\?)")
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")


class Question(NamedTuple):
    """A question to IAM: context has the condition keys, principals the kinds and names of the requester."""

    action: str
    resource: str
    context: Mapping[str, Any] = MappingProxyType({})
    principals: frozenset[tuple[str, str]] = frozenset()


def decide(documents: Iterable[Any], question: Question) -> str | None:
    """Return Deny if a statement of the policies denies, else Allow if one allows, else None."""
    statements = [statement for document in documents for statement in listed(document["Statement"])]
    effects = {statement["Effect"] for statement in statements if _applies(statement, question)}
    return "Deny" if "Deny" in effects else "Allow" if effects else None


def matches(pattern: str, value: str, context: Mapping[str, Any] | None = None, wildcards: str = "*?") -> bool:
    """Return whether a value matches a pattern with wildcards and policy variables; context has lower-case keys."""
    regex = ""
    for part in _PLACEHOLDER.split(pattern):
        literal = part
        if part.startswith("${"):
            key, _, default = part[2:-1].partition(",")
            default = key if key in {"*", "?", "$"} else default.strip().strip("'")
            literal = (context or {}).get(key.strip().lower(), default or None)
            if not isinstance(literal, str):  # an unknown variable matches nothing
                return False
        regex += {"*": ".*", "?": "."}[part] if part and part in wildcards else re.escape(literal)
    return re.fullmatch(regex, value, re.DOTALL) is not None


def names(statement: Mapping[str, Any], element: str, value: str, context: Mapping[str, Any] | None = None) -> bool:
    """Return whether a statement's Action or Resource (element), or its NotAction or NotResource, covers a value."""
    negated = f"Not{element}" in statement
    # A trust policy has no Resource.
    patterns = listed(statement.get(f"Not{element}" if negated else element, "*"))
    if element == "Action":  # case-insensitive
        patterns, value = [pattern.lower() for pattern in patterns], value.lower()
    return any(matches(pattern, value, context) for pattern in patterns) != negated


def listed(value: Any) -> list[Any]:
    """Return a value as a list, because IAM accepts one value instead of a list of one."""
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], question: Question) -> bool:
    context = {key.lower(): value for key, value in question.context.items()}  # condition keys are case-insensitive
    conditions = statement.get("Condition", {}).items()
    return (
        names(statement, "Action", question.action)
        and names(statement, "Resource", question.resource, context)
        and ("Principal" not in statement or _trusts(statement["Principal"], question.principals))
        and all(_holds(operator, key, wanted, context) for operator, keys in conditions for key, wanted in keys.items())
    )


def _trusts(principal: str | Mapping[str, Any], principals: frozenset[tuple[str, str]]) -> bool:
    # "*" and {"AWS": "*"} both mean everyone. IAM user guide, "Principal".
    named = {"AWS": principal} if isinstance(principal, str) else principal
    trusted = {(kind, name) for kind, kinds_names in named.items() for name in listed(kinds_names)}
    return ("AWS", "*") in trusted or bool(trusted & principals)


def _matches_arn(wanted: str, value: str, context: Mapping[str, Any]) -> bool:
    """Return whether an ARN matches, for ArnEquals and ArnLike: no wildcard crosses the first five colons."""
    parts, of_value = wanted.split(":", 5), value.split(":", 5)
    return len(parts) == len(of_value) and all(matches(*pair, context) for pair in zip(parts, of_value, strict=True))


def _equals_ignoring_case(wanted: str, value: str, context: Mapping[str, Any]) -> bool:
    return matches(wanted.lower(), value.lower(), context, wildcards="")


_COMPARISONS: dict[str, Any] = {
    "StringEquals": partial(matches, wildcards=""),
    "StringLike": matches,
    **dict.fromkeys(("ArnEquals", "ArnLike"), _matches_arn),
    **dict.fromkeys(("StringEqualsIgnoreCase", "Bool"), _equals_ignoring_case),
}


def _holds(operator: str, key: str, wanted: Any, context: Mapping[str, Any]) -> bool:
    """Evaluate one key of a condition. IAM user guide, "Condition operators" and "Multivalued context keys"."""
    found = _OPERATOR.fullmatch(operator)
    quantifier, name, if_exists = found.groups() if found else (None, operator, None)
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in listed(wanted)]
    values = listed(context.get(key.lower(), []))
    if name == "Null":
        return (not values) == (texts[0] == "true")
    compare, negated = _COMPARISONS.get(name.replace("Not", "", 1)), "Not" in name
    if compare is None:
        raise NotImplementedError(f"the condition operator {operator} is not supported here: add it to {__name__}")
    every = quantifier == "ForAllValues" or (negated and quantifier is None)
    if not values:  # a missing key matches nothing
        return bool(if_exists) or every
    matching = [negated != any(compare(text, value, context) for text in texts) for value in values]
    return all(matching) if every else any(matching)
