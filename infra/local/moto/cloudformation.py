"""What moto's CloudFormation lacks: events for each resource, rollback, and custom resources that are answered."""

from __future__ import annotations

import json
import queue
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moto.awslambda.utils import get_backend
from moto.cloudformation import models, parsing
from moto.cloudformation.custom_model import CustomModel
from moto.cloudformation.responses import CloudFormationResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moto.core.common_models import CloudFormationModel

_create_resource = parsing.parse_and_create_resource
_update_resource = parsing.parse_and_update_resource
_build_resource_diff = parsing.ResourceMap.build_resource_diff


def install(answers_url: Callable[[], str], region: str) -> None:
    """Replace what is lacking.

    :param answers_url: where custom resources send their answers; the request's id is appended.
    :param region: whose availability zones ``Fn::GetAZs ""`` gives.
    """
    parsing.DEFAULT_REGION = region
    CustomResource.answers_url = staticmethod(answers_url)
    parsing.CustomModel = CustomResource
    parsing.parse_and_create_resource = _create_with_events
    parsing.parse_and_update_resource = _update_with_events
    parsing.ResourceMap.build_resource_diff = _resource_diff
    models.CloudFormationBackend.execute_change_set = _execute_change_set
    models.CloudFormationBackend.delete_stack = _delete_stack
    models.Stack.has_parameters = _has_parameters
    models.Stack.stack_resources = property(_stack_resources)
    # A change set without changes is made and fails, as on AWS, instead of being refused.
    CloudFormationResponse._validate_different_update = lambda *_: None


class ResourceFailed(BaseException):
    """A resource failed, and its event is recorded. Not an Exception: moto tries after those again, five times."""


class CustomResource(CustomModel):
    """Ask the Lambda function behind ServiceToken, and wait for its answer at the response URL."""

    answers: dict[str, queue.Queue[dict[str, Any]]] = {}  # noqa: RUF012  (shared by design: request id to its answer)
    answers_url: Callable[[], str]
    account_id: str
    stack_id: str
    type: str
    properties: dict[str, Any]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> CustomResource:
        """Create it."""
        resource = cls(region_name, "", kwargs["LogicalId"], resource_name)
        resource.account_id, resource.stack_id, resource.type = account_id, kwargs["StackId"], kwargs["ResourceType"]
        resource.properties = cloudformation_json["Properties"]
        resource._request("Create")
        return resource

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: CustomResource, *, cloudformation_json: dict[str, Any], **_: Any
    ) -> CustomResource:
        """Update it, and delete the old one if its id changed."""
        old_id, old_properties = original_resource.resource_name, original_resource.properties
        original_resource.properties = cloudformation_json["Properties"]
        original_resource._request("Update", PhysicalResourceId=old_id, OldResourceProperties=old_properties)
        if original_resource.resource_name != old_id:
            original_resource._request("Delete", PhysicalResourceId=old_id)
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete it."""
        del account_id, region_name
        self._request("Delete", PhysicalResourceId=self.resource_name)

    def _request(self, request_type: str, **more: Any) -> None:
        request_id = str(uuid.uuid4())
        answer: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answers[request_id] = answer
        event = {
            "RequestType": request_type,
            "ResponseURL": type(self).answers_url() + request_id,
            "StackId": self.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": self.logical_id,
            "ResourceType": self.type,
            "ResourceProperties": self.properties,
            **more,
        }
        function = get_backend(self.account_id, self.region_name).get_function(self.properties["ServiceToken"])
        function.invoke(json.dumps(event), {}, {})
        try:
            # The function has ended: what it had to say, it has said.
            body = answer.get(timeout=1)
        except queue.Empty:
            raise RuntimeError("the custom resource sent no answer") from None
        finally:
            del self.answers[request_id]
        if body["Status"] != "SUCCESS":
            raise RuntimeError(
                f"Received response status [FAILED] from custom resource. Message returned: {body['Reason']}"
            )
        if request_type != "Delete":
            self.resource_name = body["PhysicalResourceId"]
            self.set_data(body.get("Data", {}))


def _create_with_events(
    logical_id: str, resource_json: dict[str, Any], resources_map: parsing.ResourceMap, **where: str
) -> CloudFormationModel | None:
    dependencies = resource_json.get("DependsOn", [])
    for dependency in [dependencies] if isinstance(dependencies, str) else dependencies:
        resources_map[dependency]  # creates it; moto's change sets forget about DependsOn
    return _with_events("CREATE", _create_resource, logical_id, resource_json, resources_map, where)


def _update_with_events(
    logical_id: str, resource_json: dict[str, Any], resources_map: parsing.ResourceMap, **where: str
) -> CloudFormationModel | None:
    made, condition = resources_map._parsed_resources, resource_json.get("Condition")
    wanted, resource = not condition or resources_map.lazy_condition_map[condition], made.get(logical_id)
    if wanted and resource is None:
        made.pop(logical_id, None)
        return resources_map[logical_id]  # creates it
    if resource is not None and not wanted:
        stack = models.cloudformation_backends[where["account_id"]][where["region_name"]].get_stack(
            resources_map.stack_id
        )
        with _recorded(stack, "DELETE", logical_id, resource_json["Type"]):
            resources_map._delete_resource(resource, resource_json)
        return None
    return _with_events("UPDATE", _update_resource, logical_id, resource_json, resources_map, where)


def _resource_diff(
    resources_map: parsing.ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None
) -> dict[str, list[str]]:
    """Count as modified, too, what a changed parameter puts in or out by its condition."""
    diff: dict[str, list[str]] = _build_resource_diff(resources_map, template, parameters)
    changed = {name for name, value in (parameters or {}).items() if resources_map.input_parameters.get(name) != value}
    conditions = template.get("Conditions", {})
    for name, resource in template["Resources"].items():
        references = parsing.get_references_from_template(conditions.get(resource.get("Condition"), {}))
        if changed.intersection(references) and name not in diff["Add"] + diff["Modify"]:
            diff["Modify"].append(name)
    return diff


def _with_events(
    kind: str,
    act: Callable[..., CloudFormationModel | None],
    logical_id: str,
    resource_json: dict[str, Any],
    resources_map: parsing.ResourceMap,
    where: dict[str, str],
) -> CloudFormationModel | None:
    condition = resource_json.get("Condition")
    if condition and not resources_map.lazy_condition_map[condition]:
        return None
    stack = models.cloudformation_backends[where["account_id"]][where["region_name"]].get_stack(resources_map.stack_id)

    with _recorded(stack, kind, logical_id, resource_json["Type"]):
        return act(logical_id, resource_json, resources_map, **where)


@contextmanager
def _recorded(stack: models.Stack, kind: str, logical_id: str, resource_type: str) -> Iterator[None]:
    """Record a resource's events around what is done to it.

    :raises ResourceFailed: when that fails.
    """

    def record(status: str, reason: str | None = None) -> None:
        resource = (logical_id, "", resource_type)
        stack.events.append(models.Event(stack.stack_id, stack.name, *resource, f"{kind}_{status}", reason, None))

    record("IN_PROGRESS")
    try:
        yield
    except Exception as error:
        record("FAILED", str(error))
        raise ResourceFailed(logical_id) from error
    record("COMPLETE")


def _stack_resources(stack: models.Stack) -> list[CloudFormationModel]:
    """List what is there: moto lists what a condition has left out, too, without a name or a type."""
    return [resource for resource in stack.resource_map.values() if resource is not None]


def _has_parameters(stack: models.Stack, others: dict[str, Any]) -> bool:
    """Compare by effective value: moto takes a default and the same value given for different ones."""

    def text(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)

    return all(text(stack.stack_parameters.get(name)) == text(value) for name, value in others.items())


def _execute_change_set(
    backend: models.CloudFormationBackend, change_set_name: str, stack_name: str | None = None
) -> None:
    del stack_name
    change_set = backend.describe_change_set(change_set_name)
    stack, kind = backend.stacks[change_set.stack_id], change_set.change_set_type
    before = (stack.resource_map._template, stack.resource_map.input_parameters)
    stack.status = f"{kind}_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason="User Initiated")
    try:
        change_set.apply()
    except ResourceFailed as failure:
        stack._add_stack_event(f"{kind}_FAILED", f"The following resource(s) failed: [{failure}].")
        if kind == "CREATE":
            _delete_resources(stack)
            stack.status = "ROLLBACK_COMPLETE"
        else:
            stack.resource_map.update(*before)
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
    else:
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.output_map = stack._create_output_map()
        stack.status = f"{kind}_COMPLETE"
    change_set.execution_status = "EXECUTE_COMPLETE"
    stack._add_stack_event(stack.status)


def _delete_stack(backend: models.CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in [stack for stack in backend.stacks.values() if name_or_stack_id in {stack.name, stack.stack_id}]:
        stack.status = "DELETE_IN_PROGRESS"
        stack._add_stack_event(stack.status, resource_status_reason="User Initiated")
        try:
            _delete_resources(stack)
        except ResourceFailed as failure:
            stack.status = "DELETE_FAILED"
            stack._add_stack_event(stack.status, f"The following resource(s) failed to delete: [{failure}].")
        else:
            stack.status = "DELETE_COMPLETE"
            stack._add_stack_event(stack.status)
            backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)


def _delete_resources(stack: models.Stack) -> None:
    """Delete in reverse order of creation, which moto leaves to chance."""
    made, templates = stack.resource_map._parsed_resources, stack.resource_map._resource_json_map
    for logical_id in reversed([name for name in made if name in templates]):
        template = templates[logical_id]
        resource = made[logical_id]
        if resource is None or template.get("DeletionPolicy") == "Retain":
            continue
        with _recorded(stack, "DELETE", logical_id, template["Type"]):
            stack.resource_map._delete_resource(resource, template)
        del made[logical_id]
