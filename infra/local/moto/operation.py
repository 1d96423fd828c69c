"""CloudFormation's operations on a stack's resources, in the order of their dependencies, otherwise in random order.

Source: CloudFormation user guide, "DependsOn attribute" (independent resources are created in parallel), "Update
behaviors of stack resources" and "Understand update behaviors" (replacement, clean-up, rollback).
"""

from __future__ import annotations

import contextvars
import copy
import queue
import random
import sys
import threading
from contextlib import suppress
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from moto.cloudformation import models, parsing

from infra.local.moto import template_rules
from infra.local.moto.iam import caller_of_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    _OfName = Callable[[str], bool]

stopping = threading.Event()  # when set, no further resource is started
# The property with the role that is passed, and the service. IAM guide, "Grant a user permissions to pass a role …".
_PASSED_ROLES = {
    "AWS::Lambda::Function": ("Role", "lambda.amazonaws.com"),
    "AWS::MWAA::Environment": ("ExecutionRoleArn", "airflow.amazonaws.com"),
}
_order = random.Random()  # noqa: S311  (an order, not a secret)


def begin(seed: str | None) -> None:
    """Choose the order of independent resources by a seed (None: a new one), and print the seed to repeat it."""
    stopping.clear()
    chosen = seed or str(random.randrange(10**6))  # noqa: S311  (as above)
    _order.seed(chosen)
    sys.stderr.write(f"cloudformation: resources are created in random order, LOCAL_CLOUDFORMATION_SEED={chosen}\n")


def made(resources: parsing.ResourceMap) -> dict[str, Any]:
    """Return the existing resources by logical id; moto's own listing creates the missing ones."""
    found = resources._parsed_resources
    return {name: found[name] for name in list(resources._resource_json_map) if found.get(name) is not None}


def require(action: str, resource: str, context: Mapping[str, str] | None = None) -> None:
    """Raise PermissionError, in IAM's words, if the sender of the request may not do the action itself."""
    caller = caller_of_request.get()
    if caller and not caller.may(action, resource, context):
        denied = f"{action} on resource: {resource} because no identity-based policy allows the {action} action"
        raise PermissionError(f"User: {caller.arn} is not authorized to perform: {denied}")


class Resources:
    """The resources of one stack, and the ones that this operation has replaced.

    Each has its properties in made_with, or None while an update may have changed some of them.
    """

    def __init__(self, stack: models.Stack) -> None:
        self._stack, self._map, self._region = stack, stack.resource_map, stack.region_name
        self._superseded: dict[str, Any] = {}

    def apply(self, template: dict[str, Any], parameters: dict[str, str]) -> list[str]:
        """Create and update the resources of a template; return the ones that failed."""
        resources = self._map
        self._before = resources._template, resources.input_parameters
        resources._template, resources.input_parameters = template, parameters
        resources._resource_json_map = resources._resource_json_map | template["Resources"]
        resources.load_mapping()
        resources.load_parameters()
        resources.load_conditions()
        resources.resolved_parameters = parameters  # shown by the API, with lists as strings: Parameter
        waits_for = template_rules.dependencies(template, self._region)
        return _side_by_side(waits_for, self._put, self._takes_time, stop_at_failure=True)

    def clean_up(self) -> None:
        """Delete replaced and removed resources; failures do not fail the stack."""
        for name, resource in self._superseded.items():
            json = self._map._resource_json_map[name]
            if json.get("UpdateReplacePolicy") != "Retain":
                self._recorded("DELETE", name, partial(self._map._delete_resource, resource, json))
        wanted = self._map._template["Resources"]
        self.delete(name for name in made(self._map) if name not in wanted or not self._is_wanted(wanted[name]))
        self._map._resource_json_map = dict(wanted)

    def roll_back(self) -> list[str]:
        """Restore the resources as before the last apply; return the ones that failed."""
        replacements = {name: self._map._parsed_resources[name] for name in self._superseded}
        for name, old in self._superseded.items():
            self._map._parsed_resources[name] = old
            old.made_with = None  # so that it is updated once more
        stuck = self.apply(*self._before)
        self._superseded = replacements
        self.clean_up()
        return stuck

    def delete(self, names: Iterable[str] | None = None) -> list[str]:
        """Delete resources (default: all) after those that refer to them; return the ones that failed."""
        chosen = set(made(self._map) if names is None else names)
        refers_to = template_rules.dependencies({"Resources": self._map._resource_json_map}, self._region)
        waits_for = {name: {other for other in chosen if name in refers_to[other]} for name in chosen}
        return _side_by_side(waits_for, self._delete, self._takes_time, stop_at_failure=False)

    def _takes_time(self, name: str) -> bool:
        return str(self._map._resource_json_map[name]["Type"]).startswith(("Custom::", "AWS::MWAA::"))

    def _is_wanted(self, json: dict[str, Any]) -> bool:
        return "Condition" not in json or bool(self._map.lazy_condition_map[json["Condition"]])

    def _delete(self, name: str) -> bool:
        json, resource = self._map._resource_json_map[name], self._map._parsed_resources[name]
        resolved = json if resource.made_with is None else {**json, "Properties": resource.made_with}
        act = partial(self._map._delete_resource, resource, resolved)
        if json.get("DeletionPolicy") != "Retain" and not self._recorded("DELETE", name, act):
            return False
        del self._map._parsed_resources[name]
        return True

    def _put(self, name: str) -> bool:
        """Create, update or replace a resource if necessary; return whether that succeeded."""
        json, old = self._map._resource_json_map[name], self._map._parsed_resources.get(name)
        if not self._is_wanted(json):
            return True
        with suppress(Exception):  # _act raises it again, and the resource fails
            if old is not None and parsing.parse_resource(json, self._map)[1]["Properties"] == old.made_with:
                return True
        return self._recorded("CREATE" if old is None else "UPDATE", name, partial(self._act, name, json, old))

    def _act(self, name: str, json: dict[str, Any], old: Any) -> None:
        kind_of, resolved, physical_name = parsing.parse_resource_and_generate_name(name, json, self._map)
        resource_type, properties = resolved["Type"], resolved["Properties"]
        template_rules.check_properties(name, resource_type, properties, self._region)
        role, service = _PASSED_ROLES.get(resource_type, ("", ""))
        if role in properties:
            require("iam:PassRole", properties[role], {"iam:PassedToService": service})
        made_with = copy.deepcopy(properties)  # some of moto's types modify the properties
        where = {"account_id": self._stack.account_id, "region_name": self._region}
        if old is None or template_rules.replaces(resource_type, old.made_with, properties, self._region):
            ids = {"LogicalId": name, "StackId": self._map.stack_id, "ResourceType": resource_type}
            new = kind_of.create_from_cloudformation_json(physical_name, resolved, **where, **ids)
            if old is not None:
                self._superseded[name] = old
        elif hasattr(kind_of.update_from_cloudformation_json, "__isabstractmethod__"):
            raise NotImplementedError(f"This stand-in cannot update a {resource_type} in place")
        else:
            old.made_with = None  # if this fails, a rollback must update it once more
            update = partial(kind_of.update_from_cloudformation_json, old, new_resource_name=physical_name)
            new = update(cloudformation_json=resolved, **where)
        new.cf_resource_type, new.logical_resource_id, new.made_with = resource_type, name, made_with
        self._map._parsed_resources[name] = new

    def _recorded(self, kind: str, name: str, act: Callable[[], object]) -> bool:
        """Run an operation on a resource and record its events; return whether it succeeded."""

        def record(status: str, reason: str | None = None) -> None:
            physical_id = getattr(self._map._parsed_resources.get(name), "physical_resource_id", None) or ""
            event = (self._stack.stack_id, self._stack.name, name, str(physical_id), resource_type)
            self._stack.events.append(models.Event(*event, f"{kind}_{status}", reason, None))

        resource_type = self._map._resource_json_map[name]["Type"]
        record("IN_PROGRESS")
        try:
            act()
        except Exception as error:  # noqa: BLE001  (the reason of the event, whatever the handler raises)
            record("FAILED", str(error))
            return False
        record("COMPLETE")
        return True


def _side_by_side(
    waits_for: Mapping[str, set[str]], work: _OfName, takes_time: _OfName, *, stop_at_failure: bool
) -> list[str]:
    """Run work for each name after those it waits for, otherwise in random order; return the names that failed.

    Slow work has its own thread, so that other work continues. moto's own types run one at a time, because moto's state
    is not thread-safe. After a failure either nothing more starts, or everything that does not wait for it.
    """
    sorter = TopologicalSorter(waits_for)
    sorter.prepare()
    ready, failed, running = list[str](), list[str](), 0
    ended: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def run(name: str) -> None:
        ended.put((name, work(name)))

    while True:
        ready = sorted([*ready, *sorter.get_ready()])
        if ready and not stopping.is_set() and not (failed and stop_at_failure):
            name = _order.choice(ready)
            ready.remove(name)
            running += 1
            if takes_time(name):
                context = contextvars.copy_context()
                threading.Thread(target=context.run, args=(run, name), name=f"stack-{name}", daemon=True).start()
            else:
                run(name)
            if ended.empty():
                continue
        elif not running:
            return failed or ready
        name, succeeded = ended.get()
        running -= 1
        if succeeded:
            sorter.done(name)
        else:
            failed.append(name)
