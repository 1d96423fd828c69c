"""CloudFormation as AWS runs it: checks first, then operations in the background, with clean-up and rollback.

moto stores the stacks and creates most types; operation.py has the operations on a stack's resources.
"""

from __future__ import annotations

import contextvars
import copy
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import CloudFormationError, ValidationError

from infra.local.moto import operation, template_rules

if TYPE_CHECKING:
    from collections.abc import Callable

# Longest wait of ExecuteChangeSet and DeleteStack for their work: the AWS CLI polls at once and then only every 30 s.
_PATIENCE_SECONDS = 10.0
_LAST_WORK_SECONDS = 5.0

_create_change_set = models.CloudFormationBackend.create_change_set
_respond_change_set = responses.CloudFormationResponse.create_change_set
_summary = responses.get_template_summary_response_from_template


def install(region: str) -> None:
    """Replace moto's functions."""
    parsing.DEFAULT_REGION = region  # for Fn::GetAZs ""
    backend, stack, response = models.CloudFormationBackend, models.Stack, responses.CloudFormationResponse
    backend.create_change_set, backend.execute_change_set = _checked_change_set, _execute_change_set
    backend.create_stack, backend.update_stack, backend.delete_stack = _create_stack, _update_stack, _delete_stack
    stack.has_template = _has_template_but_for_its_description
    stack.stack_resources = property(lambda self: [*operation.made(self.resource_map).values()])
    response.create_change_set = _check_capabilities
    responses.get_template_summary_response_from_template = _summary_of_parameters
    # A change set without changes is created and fails, as on AWS; moto refuses it.
    response._validate_different_update = lambda *_: None
    operation.begin(os.environ.get("LOCAL_CLOUDFORMATION_SEED"))


def _has_template_but_for_its_description(stack: Any, other: str) -> bool:
    """Return whether a stack has a template already: an update cannot change the description by itself.

    Source: guide, "CloudFormation template Description syntax".
    """
    had, wanted = stack.template_dict, stack.parse_template(other)
    return bool({**had, "Description": ""} == {**wanted, "Description": ""})


def stop() -> None:
    """Start no further work, and wait a few seconds for running work."""
    operation.stopping.set()
    for thread in threading.enumerate():
        if thread.name == __name__:
            thread.join(_LAST_WORK_SECONDS)


def _summary_of_parameters(template: str) -> dict[str, Any]:
    """Return GetTemplateSummary without resources, because moto cannot read Fn::ForEach."""
    return _summary(json.dumps({**models.Stack.parse_template(template), "Resources": {}}, default=str))


def _check_capabilities(response: responses.CloudFormationResponse) -> Any:
    """Check the capabilities of a CreateChangeSet request, then process it."""
    url, body, given = map(response._get_param, ("TemplateURL", "TemplateBody", "Capabilities"))
    if template := response._get_stack_from_s3_url(url) if url else body:
        template_rules.check_capabilities(models.Stack.parse_template(template), given or [])
    return _respond_change_set(response)


def _checked_change_set(
    backend: Any, stack_name: str, change_set_name: str, template: str, parameters: dict[str, str], **more: Any
) -> tuple[str, str]:
    """Check and expand the template, check its parameters, then create the change set."""
    for stack in backend.stacks.values():
        # Source: guide, "Stack status codes".
        is_stuck = stack.status in {"ROLLBACK_COMPLETE", "DELETE_FAILED"} or stack.status.endswith("_IN_PROGRESS")
        if stack.name == stack_name and is_stuck and stack.status != "REVIEW_IN_PROGRESS":
            message = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            raise ValidationError(message=message)
    region = backend.region_name
    values = template_rules.check_parameters(template, parameters, backend.account_id, region)
    expanded = template_rules.expand(models.Stack.parse_template(template), values, region)
    _check_types({resource["Type"] for resource in expanded["Resources"].values()}, region)
    template_rules.dependencies(expanded, region)
    text = json.dumps(expanded, default=str)
    change_set_id, stack_id = _create_change_set(backend, stack_name, change_set_name, text, values, **more)
    backend.change_sets[change_set_id].template = template
    return change_set_id, stack_id


def _check_types(types: set[str], region: str) -> None:
    """Refuse types that CloudFormation or this stand-in does not know, because moto would skip them silently."""
    for name in sorted(types - parsing.get_model_map().keys()):
        if not name.startswith("Custom::"):
            unknown = f"Template format error: Unrecognized resource types: [{name}]"
            untaught = f"This stand-in has no resource type {name}: add it to resources.py"
            raise ValidationError(message=untaught if template_rules.schema(name, region) else unknown)


def _create_stack(backend: Any, name: str, template: str, parameters: dict[str, Any], **more: Any) -> Any:
    """Create a stack through a change set."""
    how = {"description": "", "change_set_type": "CREATE", "tags": more.get("tags")}
    change_set, stack_id = backend.create_change_set(name, "directly", template, parameters, **how)
    backend.execute_change_set(change_set)
    return backend.stacks[stack_id]


def _update_stack(*_: Any, **__: Any) -> None:
    raise ValidationError(message="This stand-in updates stacks only by change sets")


def _execute_change_set(backend: Any, change_set_name: str, **_: Any) -> None:
    change_set = backend.describe_change_set(change_set_name)
    if change_set.execution_status != "AVAILABLE":
        message = f"ChangeSet [{change_set_name}] cannot be executed in its current status of [{change_set.status}]"
        raise CloudFormationError("InvalidChangeSetStatus", message)
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    stack, kind = backend.stacks[change_set.stack_id], change_set.change_set_type
    _start(f"{kind}_IN_PROGRESS", _create_or_update, stack, change_set)


def _create_or_update(stack: models.Stack, change_set: models.ChangeSet) -> None:
    resources, kind = operation.Resources(stack), change_set.change_set_type
    template = copy.deepcopy(change_set.template_dict)  # moto modifies it
    if failed := resources.apply(template, change_set.parameters):
        rollback = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
        reason = f"The following resource(s) failed to {kind.lower()}: [{', '.join(failed)}]."
        _set_status(stack, f"{rollback}_IN_PROGRESS", reason)
        stuck = resources.delete() if kind == "CREATE" else resources.roll_back()
        change_set.execution_status = "EXECUTE_FAILED"
        _set_status(stack, f"{rollback}_{'FAILED' if stuck else 'COMPLETE'}")
        return
    if kind == "UPDATE":
        _set_status(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    resources.clean_up()
    stack.template, stack.template_dict = change_set.template, change_set.template_dict
    stack.parameters, stack.tags = change_set.parameters, change_set.tags or {}
    stack.description, stack.output_map = stack.template_dict.get("Description"), stack._create_output_map()
    change_set.execution_status = "EXECUTE_COMPLETE"
    _set_status(stack, f"{kind}_COMPLETE")


def _delete_stack(backend: Any, name_or_stack_id: str) -> None:
    for stack in [stack for stack in backend.stacks.values() if name_or_stack_id in {stack.name, stack.stack_id}]:
        _start("DELETE_IN_PROGRESS", _delete, stack, backend)


def _delete(stack: models.Stack, backend: Any) -> None:
    if failed := operation.Resources(stack).delete():
        _set_status(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
        return
    _set_status(stack, "DELETE_COMPLETE")
    backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)


def _start(status: str, work: Callable[[models.Stack, Any], None], stack: models.Stack, other: Any) -> None:
    """Start work on a stack on behalf of the request's caller; wait until it ends, but only for a short time."""
    _set_status(stack, status, "User Initiated")
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(work, stack, other), name=__name__, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)


def _set_status(stack: models.Stack, status: str, reason: str | None = None) -> None:
    """Set a stack's status after adding its event, because a client may read the events once it sees the status."""
    stack._add_stack_event(status, resource_status_reason=reason)
    stack.status = status
