"""Evaluate IAM policy documents, which moto does for StringEquals only.

Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements reference".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PLACEHOLDER = re.compile(r"(\$\{[^}]*\}|\*|\?)")
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")


@dataclass(frozen=True)
class Question:
    """Describe a request to IAM.

    :param action: such as s3:PutObject.
    :param resource: ARN, or ``*``.
    :param context: condition keys of the request (default: none).
    :param principals: the requester's names, as a resource's policy may name it: kind (AWS, Service) and name.
    """

    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)
    principals: frozenset[tuple[str, str]] = frozenset()


def decide(documents: Iterable[Any], question: Question) -> str | None:
    """Return Deny where one statement denies, else Allow where one allows, else None.

    :param documents: policies, JSON types.
    :param question: what is asked.
    :raises NotImplementedError: when a condition operator is not known here.
    """
    statements = [statement for document in documents for statement in listed(document["Statement"])]
    effects = {statement["Effect"] for statement in statements if _applies(statement, question)}
    return "Deny" if "Deny" in effects else "Allow" if effects else None


def matches(pattern: str, value: str, context: Mapping[str, Any] | None = None, wildcards: str = "*?") -> bool:
    """Return whether a value fits a pattern with wildcards and policy variables.

    :param pattern: an unknown variable in it fits nothing.
    :param value: what is compared.
    :param context: what the variables stand for, by key in lower case (default: none).
    :param wildcards: which count (default: both).
    """
    parts = [_regex(part, context or {}, wildcards) for part in _PLACEHOLDER.split(pattern)]
    return None not in parts and re.fullmatch("".join(map(str, parts)), value, re.DOTALL) is not None


def names(statement: Mapping[str, Any], element: str, value: str, context: Mapping[str, Any] | None = None) -> bool:
    """Return whether a statement's Action or Resource names a value, or its NotAction or NotResource does not.

    :param element: Action, which has no case, or Resource.
    """

    def fits(pattern: str) -> bool:
        if element == "Action":
            return matches(pattern.lower(), value.lower())
        return matches(pattern, value, context)

    if f"Not{element}" in statement:
        return not any(map(fits, listed(statement[f"Not{element}"])))
    return any(map(fits, listed(statement.get(element, "*"))))  # the policy of a role's trust names no resource


def listed(value: Any) -> list[Any]:
    """Return a list where IAM takes one value for a list of one."""
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], question: Question) -> bool:
    context = {key.lower(): value for key, value in question.context.items()}  # condition keys have no case
    return (
        names(statement, "Action", question.action)
        and names(statement, "Resource", question.resource, context)
        and ("Principal" not in statement or _trusts(statement["Principal"], question.principals))
        and all(
            _holds(operator, key, listed(wanted), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _trusts(principal: str | Mapping[str, Any], principals: frozenset[tuple[str, str]]) -> bool:
    # "*" and {"AWS": "*"} are the same: everyone. IAM user guide, "Principal".
    named = {"AWS": principal} if isinstance(principal, str) else principal
    return "*" in listed(named.get("AWS", [])) or any(
        (kind, name) in principals for kind, listed_names in named.items() for name in listed(listed_names)
    )


def _regex(part: str, context: Mapping[str, Any], wildcards: str) -> str | None:
    if part and part in wildcards:
        return ".*" if part == "*" else "."
    if not part.startswith("${"):
        return re.escape(part)
    key, _, default = part[2:-1].partition(",")
    if key in {"*", "?", "$"}:
        return re.escape(key)
    value = context.get(key.strip().lower(), default.strip().strip("'") or None)
    return re.escape(value) if isinstance(value, str) else None


def _fits_arn(wanted: str, value: str, context: Mapping[str, Any]) -> bool:
    """Compare ARNs part by part: ArnEquals and ArnLike behave alike, and no wildcard crosses the first five colons."""
    parts, of_value = wanted.split(":", 5), value.split(":", 5)
    return len(parts) == len(of_value) and all(matches(*pair, context) for pair in zip(parts, of_value, strict=True))


def _equals(wanted: str, value: str, context: Mapping[str, Any]) -> bool:
    return matches(wanted, value, context, wildcards="")


def _equals_ignoring_case(wanted: str, value: str, context: Mapping[str, Any]) -> bool:
    return _equals(wanted.lower(), value.lower(), context)


_COMPARISONS: dict[str, Callable[[str, str, Mapping[str, Any]], bool]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": matches,
    "ArnEquals": _fits_arn,
    "ArnLike": _fits_arn,
    "Bool": _equals_ignoring_case,
}


def _holds(operator: str, key: str, wanted: list[Any], context: Mapping[str, Any]) -> bool:
    """Evaluate one key of a condition; several wanted values are alternatives.

    Source: IAM user guide, "Condition operators" and "Multivalued context keys".
    """
    found = _OPERATOR.fullmatch(operator)
    quantifier, name, if_exists = found.groups() if found else (None, operator, None)
    values, texts = listed(context.get(key.lower(), [])), [_text(each) for each in wanted]
    if name == "Null":
        return (not values) == (texts[0] == "true")
    compare, negated = _COMPARISONS.get(name.replace("Not", "", 1)), "Not" in name
    if compare is None:
        raise NotImplementedError(f"the condition operator {operator} is not evaluated here: add it to {__name__}")
    if not values:  # a key that is not there fits nothing
        return bool(if_exists) or quantifier == "ForAllValues" or (negated and quantifier is None)
    fitting = [negated != any(compare(text, value, context) for text in texts) for value in values]
    return all(fitting) if quantifier == "ForAllValues" or (negated and quantifier is None) else any(fitting)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
