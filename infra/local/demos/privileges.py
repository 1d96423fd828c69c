"""Least privilege, proven: what the deployed roles are granted beside what they asked for while they worked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.local.moto.policy import listed, matches, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.local.moto.iam import Call

# Granted, and yet asked for by nothing that runs here: a statement's Sid, or Sid and one of its actions, to the reason.
# An entry whose grants are all used is out of date, and `judge` says so.
# There is none: MWAA's agents ask for what they need themselves (infra/local/mwaa/agents.py).
NEEDED_BY_AWS: dict[str, str] = {}


@dataclass(frozen=True)
class Grant:
    """Hold one action that a statement allows.

    :param sid: the statement's name.
    :param action: with wildcards.
    :param resources: ARNs with wildcards; of a statement that names what it does not allow, nothing.
    :param others: ARNs of what such a statement does not allow (default: none).
    """

    sid: str
    action: str
    resources: tuple[str, ...]
    others: tuple[str, ...] = ()

    def covers(self, call: Call) -> bool:
        """Return whether a call needs this."""
        where = {"NotResource": [*self.others]} if self.others else {"Resource": [*self.resources]}
        return names({"Action": self.action}, "Action", call.action) and names(where, "Resource", call.resource)

    @property
    def reason(self) -> str | None:
        """Return the key under which NEEDED_BY_AWS has a reason for this, or None."""
        return next((key for key in (f"{self.sid} {self.action}", self.sid) if key in NEEDED_BY_AWS), None)


def grants(policies: Iterable[dict[str, Any]]) -> list[Grant]:
    """Return what policy documents allow, action by action."""
    return [
        Grant(
            statement["Sid"],
            action,
            tuple(listed(statement.get("Resource", []))),
            tuple(listed(statement.get("NotResource", []))),
        )
        for policy in policies
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    ]


def calls_of(role: str, calls: Iterable[Call]) -> list[Call]:
    """Return the calls of a role's sessions.

    :param role: the role's name.
    """
    return [call for call in calls if f":assumed-role/{role}/" in call.principal]


def unused(granted: Iterable[Grant], calls: Iterable[Call]) -> list[Grant]:
    """Return the grants that no call needs; whoever has a reason for one names it in NEEDED_BY_AWS."""
    asked = list(calls)
    return [grant for grant in granted if not any(grant.covers(call) for call in asked)]


def unused_resources(granted: Iterable[Grant], calls: Iterable[Call]) -> set[str]:
    """Return the resources on which no call needs anything, of statements of which something is needed."""
    asked = list(calls)
    used = [grant for grant in granted if any(grant.covers(call) for call in asked)]
    resources = {resource for grant in used for resource in grant.resources}
    return {resource for resource in resources if not any(matches(resource, call.resource) for call in asked)}


def judge(roles: dict[str, list[dict[str, Any]]], calls: Iterable[Call]) -> Iterator[tuple[str, list[str]]]:
    """Return for each role how much of what it is granted was used, and what is wrong with it.

    :param roles: policy documents by the role's name.
    :param calls: everything that IAM was asked.
    """
    asked = list(calls)
    for role, policies in roles.items():
        own, granted = calls_of(role, asked), grants(policies)
        idle = unused(granted, own)
        problems = [f"{role} was refused {call.action} on {call.resource}" for call in own if not call.allowed]
        problems += [f"{role} never uses {grant.action}" for grant in idle if not grant.reason]
        needed = {grant.reason for grant in granted if grant.reason} - {grant.reason for grant in idle}
        problems += [f"{role} uses all of {key}: it is no exception any more (NEEDED_BY_AWS)" for key in sorted(needed)]
        problems += [f"{role} needs nothing on {resource}" for resource in unused_resources(granted, own)]
        yield f"{role}: {len(granted) - len(idle)} of {len(granted)} grants used, the rest by AWS itself", problems
