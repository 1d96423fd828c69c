"""The proof of least privilege: it compares the grants of the deployed roles with the calls that they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from infra.local.moto.policy import listed, matches, names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from infra.local.moto.iam import Call


class Grant(NamedTuple):
    """One action that a statement allows; it may have wildcards."""

    action: str
    statement: dict[str, Any]

    def covers(self, call: Call) -> bool:
        """Return whether a call needs this."""
        acts = names({"Action": self.action}, "Action", call.action)
        return acts and names(self.statement, "Resource", call.resource)


def grants(policies: Iterable[dict[str, Any]]) -> list[Grant]:
    """Return the grants of policy documents, one for each action."""
    statements = [statement for policy in policies for statement in policy["Statement"]]
    allowing = [statement for statement in statements if statement["Effect"] == "Allow"]
    return [Grant(action, statement) for statement in allowing for action in listed(statement["Action"])]


def calls_of(role: str, calls: Collection[Call]) -> list[Call]:
    """Return the calls of a role's sessions, by the role's name."""
    return [call for call in list(calls) if f":assumed-role/{role}/" in call.principal]


def unused(granted: Iterable[Grant], calls: Collection[Call]) -> list[Grant]:
    """Return the grants that no call needs."""
    return [grant for grant in granted if not any(grant.covers(call) for call in calls)]


def unused_resources(granted: Iterable[Grant], calls: Collection[Call]) -> set[str]:
    """Return the resources that no call needs, of the statements that some call needs."""
    used = [grant for grant in granted if any(grant.covers(call) for call in calls)]
    resources = {resource for grant in used for resource in listed(grant.statement.get("Resource", []))}
    return {resource for resource in resources if not any(matches(resource, call.resource) for call in calls)}


def judge(roles: dict[str, list[dict[str, Any]]], calls: Collection[Call]) -> Iterator[tuple[str, list[str]]]:
    """Yield for each role, given its policy documents, how many of its grants were used, and the problems found."""
    for role, policies in roles.items():
        own, granted = calls_of(role, calls), grants(policies)
        idle = unused(granted, own)
        # Until a new role's policies take effect, it is refused calls that are allowed later.
        allowed = {(call.action, call.resource) for call in own if call.allowed}
        refused = {(call.action, call.resource) for call in own} - allowed
        problems = [f"{role} was refused {action} on {resource}" for action, resource in sorted(refused)]
        problems += [f"{role} never uses {grant.action}" for grant in idle]
        problems += [f"{role} needs nothing on {resource}" for resource in unused_resources(granted, own)]
        yield f"{role}: {len(granted) - len(idle)} of {len(granted)} grants used", problems
