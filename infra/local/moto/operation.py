"""What CloudFormation does to a stack's resources: in the order of their dependencies, and in random order otherwise.

Source: CloudFormation user guide, "DependsOn attribute": resources that do not depend on one another are made in
parallel. "Update behaviors of stack resources" and "Understand update behaviors": replacement, clean-up, rollback.
"""

from __future__ import annotations

import contextvars
import copy
import queue
import random
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.cloudformation import models, parsing

from infra.local.moto import callers, template_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moto.core.common_models import CloudFormationModel

# Whose role a resource hands to a service. IAM guide, "Grant a user permissions to pass a role to an AWS service".
_PASSED_ROLES = {
    "AWS::Lambda::Function": ("Role", "lambda.amazonaws.com"),
    "AWS::MWAA::Environment": ("ExecutionRoleArn", "airflow.amazonaws.com"),
}
_order = random.Random()  # noqa: S311  (an order, not a secret)
_stopping = threading.Event()


@dataclass(frozen=True)
class Outcome:
    """What became of a stack.

    :param status: of the stack.
    :param failed: logical ids of the resources that failed.
    """

    status: str
    failed: list[str] = field(default_factory=list)


def begin(seed: str | None) -> None:
    """Choose the order of what is independent, and print its seed, so that it can be had again.

    :param seed: None for a new one.
    """
    _stopping.clear()
    chosen = seed or str(random.randrange(10**6))  # noqa: S311  (as above)
    _order.seed(chosen)
    sys.stderr.write(f"cloudformation: resources are made in random order, LOCAL_CLOUDFORMATION_SEED={chosen}\n")


def stop() -> None:
    """Begin no further resource."""
    _stopping.set()


def change(stack: models.Stack, template: dict[str, Any], parameters: dict[str, str], kind: str) -> Outcome:
    """Create or update a stack; when a resource fails, roll it back.

    :param template: expanded.
    :param parameters: the values of all of them.
    :param kind: CREATE or UPDATE.
    """
    resources = _Resources(stack)
    before = resources.snapshot()
    failed = resources.apply(template, parameters)
    if not failed:
        if kind == "UPDATE":
            _say(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        resources.clean_up()
        return Outcome(f"{kind}_COMPLETE")
    rollback = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
    _say(
        stack, f"{rollback}_IN_PROGRESS", f"The following resource(s) failed to {kind.lower()}: [{', '.join(failed)}]."
    )
    stuck = resources.delete(resources.made) if kind == "CREATE" else resources.roll_back(*before)
    return Outcome(f"{rollback}_{'FAILED' if stuck else 'COMPLETE'}", failed)


def delete(stack: models.Stack) -> list[str]:
    """Delete a stack's resources; return those that could not be deleted."""
    resources = _Resources(stack)
    return resources.delete(resources.made)


def _say(stack: models.Stack, status: str, reason: str | None = None) -> None:
    stack._add_stack_event(status, resource_status_reason=reason)
    stack.status = status


class _Resources:
    """The resources of one stack, and what has been replaced while it is worked on."""

    def __init__(self, stack: models.Stack) -> None:
        self._stack, self._map = stack, stack.resource_map
        self._where = {"account_id": stack.account_id, "region_name": stack.region_name}
        # What each resource was made with, to know what has changed.
        self._applied: dict[str, dict[str, Any]] = self._map.__dict__.setdefault("applied", {})
        self._superseded: dict[str, tuple[Any, dict[str, Any]]] = {}

    @property
    def made(self) -> list[str]:
        """The logical ids of what is there."""
        found = self._map._parsed_resources
        return [name for name in self._map._resource_json_map if found.get(name) is not None]

    def snapshot(self) -> tuple[dict[str, Any], dict[str, str], set[str]]:
        """Return the template, its parameters and what is there."""
        return self._map._template, self._map.input_parameters, set(self.made)

    def apply(self, template: dict[str, Any], parameters: dict[str, str]) -> list[str]:
        """Create and update what a template asks for; return what failed."""
        self._gone = {
            name: json for name, json in self._map._resource_json_map.items() if name not in template["Resources"]
        }
        resources = self._map
        resources._template, resources.input_parameters = template, parameters
        resources.resolved_parameters = {}
        resources._resource_json_map = {**self._gone, **template["Resources"]}
        resources.load_mapping()
        resources.load_parameters()
        resources.load_conditions()
        waits_for = template_rules.dependencies(template, self._where["region_name"])
        return _side_by_side(waits_for, self._prepare, stop_at_failure=True)

    def clean_up(self) -> None:
        """Delete what has been replaced, and what is no longer asked for; failures do not fail the stack."""
        for name, (resource, json) in self._superseded.items():
            if json.get("UpdateReplacePolicy") != "Retain":
                self._recorded("DELETE", name, json["Type"], partial(self._map._delete_resource, resource, json))
        wanted = self._map._template["Resources"]
        unwanted = [name for name in self.made if name not in wanted or not self._is_wanted(wanted[name])]
        self.delete(unwanted)
        self._map._resource_json_map = dict(wanted)

    def roll_back(self, template: dict[str, Any], parameters: dict[str, str], were: set[str]) -> list[str]:
        """Restore what was there before; return what could not be."""
        made = self._map._parsed_resources
        added = {name: (made[name], self._map._resource_json_map[name]) for name in self.made if name not in were}
        replacements = {name: (made[name], self._map._resource_json_map[name]) for name in self._superseded}
        for name, (resource, _) in self._superseded.items():
            made[name] = resource
            self._applied.pop(name, None)  # updated once more, which restores it
        stuck = self.apply(template, parameters)
        self._superseded = replacements
        self._map._resource_json_map |= {name: json for name, (_, json) in added.items()}
        self.clean_up()
        return stuck

    def delete(self, names: Iterable[str]) -> list[str]:
        """Delete resources after those that refer to them; return those that could not be deleted."""
        templates = self._map._resource_json_map
        chosen = set(names)
        refers_to = template_rules.dependencies({"Resources": templates}, self._where["region_name"])
        waits_for = {name: {other for other in chosen if name in refers_to[other]} for name in chosen}
        return _side_by_side(waits_for, self._prepare_delete, stop_at_failure=False)

    def _prepare_delete(self, name: str) -> tuple[Callable[[], bool], bool]:
        json, resource = self._map._resource_json_map[name], self._map._parsed_resources[name]
        resolved = {**json, "Properties": self._applied.get(name, json.get("Properties", {}))}

        def work() -> bool:
            if json.get("DeletionPolicy") != "Retain" and not self._recorded(
                "DELETE", name, json["Type"], lambda: self._map._delete_resource(resource, resolved)
            ):
                return False
            self._map._parsed_resources.pop(name, None)
            self._applied.pop(name, None)
            return True

        return work, getattr(resource, "takes_time", False)

    def _is_wanted(self, json: dict[str, Any]) -> bool:
        condition = json.get("Condition")
        return not condition or bool(self._map.lazy_condition_map[condition])

    def _prepare(self, name: str) -> tuple[Callable[[], bool], bool]:
        """Resolve a resource's properties; return the work on it, and whether that takes time."""
        json, old = self._map._resource_json_map[name], self._map._parsed_resources.get(name)
        if not self._is_wanted(json):
            return lambda: True, False
        kind = "CREATE" if old is None else "UPDATE"
        try:
            kind_of, resolved, physical_name = parsing.parse_resource_and_generate_name(name, json, self._map)
            properties = resolved["Properties"]
        except Exception as error:  # noqa: BLE001  (what a reference cannot be resolved to fails the resource)
            reason = error
            return lambda: self._recorded(kind, name, json["Type"], lambda: _raise(reason)), False
        if old is not None and self._applied.get(name) == properties:
            return lambda: True, False

        def act() -> None:
            template_rules.check_properties(name, json["Type"], properties, self._where["region_name"])
            if json["Type"] in _PASSED_ROLES:
                role, service = _PASSED_ROLES[json["Type"]]
                if role in properties:
                    callers.require("iam:PassRole", properties[role], {"iam:PassedToService": service})
            self._act(name, kind_of, resolved, physical_name, old)

        return lambda: self._recorded(kind, name, json["Type"], act), getattr(kind_of, "takes_time", False)

    def _act(
        self, name: str, kind_of: type[CloudFormationModel], resolved: dict[str, Any], physical_name: str, old: Any
    ) -> None:
        """Create, update or replace a resource."""
        resource_type, properties, where = resolved["Type"], resolved["Properties"], self._where
        given = copy.deepcopy(properties)  # some of moto's types write into what they are given
        before = self._applied.pop(name, None)  # when this fails, a rollback has to update it once more
        if old is not None and before is not None:
            replaced = template_rules.replaces(resource_type, before, properties, where["region_name"])
        else:
            replaced = False
        if old is not None and not replaced:
            if hasattr(kind_of.update_from_cloudformation_json, "__isabstractmethod__"):
                raise NotImplementedError(f"This stand-in cannot update a {resource_type} in place")
            new = kind_of.update_from_cloudformation_json(
                old, new_resource_name=physical_name, cloudformation_json=resolved, **where
            )
        else:
            ids = {"LogicalId": name, "StackId": self._map.stack_id, "ResourceType": resource_type}
            new = kind_of.create_from_cloudformation_json(physical_name, resolved, *where.values(), **ids)
            if old is not None:
                self._superseded[name] = (old, self._map._resource_json_map[name])
        new.cf_resource_type, new.logical_resource_id = resource_type, name
        self._map._parsed_resources[name] = new
        self._applied[name] = given

    def _recorded(self, kind: str, name: str, resource_type: str, act: Callable[[], object]) -> bool:
        """Record a resource's events around what is done to it; return whether it succeeded."""

        def record(status: str, reason: str | None = None) -> None:
            made = self._map._parsed_resources.get(name)
            physical_id = str(getattr(made, "physical_resource_id", "") or "")
            event = (self._stack.stack_id, self._stack.name, name, physical_id, resource_type)
            self._stack.events.append(models.Event(*event, f"{kind}_{status}", reason, None))

        record("IN_PROGRESS")
        try:
            act()
        except Exception as error:  # noqa: BLE001  (whatever a handler raises is the resource's reason)
            record("FAILED", str(error))
            return False
        record("COMPLETE")
        return True


def _raise(error: Exception) -> None:
    raise error


def _side_by_side(
    waits_for: dict[str, set[str]],
    prepare: Callable[[str], tuple[Callable[[], bool], bool]],
    *,
    stop_at_failure: bool,
) -> list[str]:
    """Do each work as soon as what it waits for is done; in random order what may begin; return what failed.

    What takes time has a thread of its own, so that others begin and end meanwhile; moto's own types are made one at
    a time, for moto's state is not made for more.

    :param prepare: returns the work of a name, and whether it takes time.
    :param stop_at_failure: begin nothing more when something has failed; otherwise only what waits for it is left out.
    """
    todo, done, failed, running = dict(waits_for), set[str](), list[str](), 0
    ended: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
    while True:
        may_begin = not _stopping.is_set() and not (failed and stop_at_failure)
        ready = sorted(name for name, others in todo.items() if others & waits_for.keys() <= done) if may_begin else []
        if ready:
            name = _order.choice(ready)
            del todo[name]
            running += 1
            work, takes_time = prepare(name)
            run = _finished_into(ended, name, work)
            if takes_time:
                context = contextvars.copy_context()
                threading.Thread(target=context.run, args=(run,), name=f"stack-{name}", daemon=True).start()
            else:
                run()
        elif not running:
            return failed or ([*todo] if _stopping.is_set() else [])
        if not ready or not ended.empty():
            name, succeeded = ended.get()
            running -= 1
            if succeeded:
                done.add(name)
            else:
                failed.append(name)


def _finished_into(
    ended: queue.SimpleQueue[tuple[str, bool]], name: str, work: Callable[[], bool]
) -> Callable[[], None]:
    def run() -> None:
        ended.put((name, work()))

    return run
