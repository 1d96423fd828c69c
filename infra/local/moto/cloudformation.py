"""What moto's CloudFormation lacks: events for each resource, failure with rollback, custom resources that are answered."""

from __future__ import annotations

import json
import queue
import uuid
from typing import TYPE_CHECKING, Any

from moto.awslambda.utils import get_backend
from moto.cloudformation import models, parsing
from moto.cloudformation.custom_model import CustomModel
from moto.cloudformation.responses import CloudFormationResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.core.common_models import CloudFormationModel

_create_resource = parsing.parse_and_create_resource
_update_resource = parsing.parse_and_update_resource


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
    models.CloudFormationBackend.execute_change_set = _execute_change_set
    # A change set without changes is made and fails, as on AWS, instead of being refused.
    CloudFormationResponse._validate_different_update = lambda *_: None  # noqa: SLF001  (moto has no public seam)


class ResourceFailed(BaseException):
    """A resource could not be made; its event is recorded. Not an Exception: moto tries those again, five times."""


class CustomResource(CustomModel):
    """Ask the Lambda function behind ServiceToken, and wait for its answer at the response URL."""

    answers: dict[str, queue.Queue[dict[str, Any]]] = {}  # noqa: RUF012  (shared by design: request id to its answer)
    answers_url: Callable[[], str]

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
    return _with_events("UPDATE", _update_resource, logical_id, resource_json, resources_map, where)


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

    def record(status: str, reason: str | None = None, physical_id: str = "") -> None:
        resource = (logical_id, physical_id, resource_json["Type"])
        stack.events.append(models.Event(stack.stack_id, stack.name, *resource, f"{kind}_{status}", reason, None))

    record("IN_PROGRESS")
    try:
        resource = act(logical_id, resource_json, resources_map, **where)
    except Exception as error:
        record("FAILED", str(error))
        raise ResourceFailed(logical_id) from error
    record("COMPLETE", physical_id=str(getattr(resource, "physical_resource_id", "")))
    return resource


def _execute_change_set(
    backend: models.CloudFormationBackend, change_set_name: str, stack_name: str | None = None
) -> None:
    del stack_name
    change_set = backend.describe_change_set(change_set_name)
    stack, kind = backend.stacks[change_set.stack_id], change_set.change_set_type
    before = (stack.resource_map._template, stack.resource_map.input_parameters)  # noqa: SLF001  (moto has no other way)
    stack.status = f"{kind}_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason="User Initiated")  # noqa: SLF001  (as above)
    try:
        change_set.apply()
    except ResourceFailed as failure:
        stack._add_stack_event(f"{kind}_FAILED", f"The following resource(s) failed: [{failure}].")  # noqa: SLF001
        if kind == "CREATE":
            stack.resource_map.delete()
            stack.status = "ROLLBACK_COMPLETE"
        else:
            stack.resource_map.update(*before)
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
    else:
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()  # noqa: SLF001
        stack.output_map = stack._create_output_map()  # noqa: SLF001
        stack.status = f"{kind}_COMPLETE"
    change_set.execution_status = "EXECUTE_COMPLETE"
    stack._add_stack_event(stack.status)  # noqa: SLF001
