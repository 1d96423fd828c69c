"""CloudFormation as AWS runs it: checked first, in the background, side by side, with clean-up and rollback.

moto keeps the stacks and knows how most types are made; how a stack is worked on is in operation.py.
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

# ExecuteChangeSet and DeleteStack answer when the work is done, but no later than this: the AWS CLI looks at once and
# then every 30 s only.
_PATIENCE_SECONDS = 10.0
_LAST_WORK_SECONDS = 5.0

_create_change_set = models.CloudFormationBackend.create_change_set
_answer_change_set = responses.CloudFormationResponse.create_change_set
_summary = responses.get_template_summary_response_from_template
_works: set[threading.Thread] = set()


def install(region: str) -> None:
    """Replace what is lacking.

    :param region: whose availability zones ``Fn::GetAZs ""`` returns.
    """
    parsing.DEFAULT_REGION = region
    backend, stack, response = models.CloudFormationBackend, models.Stack, responses.CloudFormationResponse
    backend.create_change_set, backend.execute_change_set = _checked_change_set, _execute_change_set
    backend.create_stack, backend.update_stack, backend.delete_stack = _create_stack, _update_stack, _delete_stack
    stack.has_template = lambda self, other: self.template_dict == self.parse_template(other)
    stack.stack_resources = property(lambda self: [*operation.made(self.resource_map).values()])
    stack.parameter_list = property(_parameter_list)
    response.create_change_set = _acknowledged
    responses.get_template_summary_response_from_template = _summary_with_loops
    # A change set without changes is made and fails, as on AWS, instead of being refused.
    response._validate_different_update = lambda *_: None
    operation.begin(os.environ.get("LOCAL_CLOUDFORMATION_SEED"))


def stop() -> None:
    """Begin nothing more, and wait for what is under way, but not for long."""
    operation.stopping.set()
    for work in list(_works):
        work.join(_LAST_WORK_SECONDS)


def _summary_with_loops(template_body: str) -> dict[str, Any]:
    """Answer GetTemplateSummary: moto takes a loop of resources for a resource."""
    template = models.Stack.parse_template(template_body)
    return _summary(json.dumps({**template, "Resources": template_rules.all_resources(template)}, default=str))


def _parameter_list(stack: models.Stack) -> list[dict[str, str]]:
    """List the parameters as they are given: a list is a string there (API: Parameter). No parameter here is NoEcho."""
    return [{"ParameterKey": name, "ParameterValue": text} for name, text in stack.parameters.items()]


def _acknowledged(response: responses.CloudFormationResponse) -> Any:
    """Check the capabilities that a request gives, then answer it."""
    url, body = response._get_param("TemplateURL"), response._get_param("TemplateBody")
    if template := response._get_stack_from_s3_url(url) if url else body:
        capabilities = response._get_param("Capabilities", [])
        template_rules.check_capabilities(models.Stack.parse_template(template), capabilities)
    return _answer_change_set(response)


def _checked_change_set(
    backend: Any, stack_name: str, change_set_name: str, template: str, parameters: dict[str, Any], **more: Any
) -> tuple[str, str]:
    """Check the template and its parameters and expand it before moto sees it."""
    for stack in backend.stacks.values():
        # Source: guide, "Stack status codes": such a stack cannot be updated, or not now.
        is_stuck = stack.status in {"ROLLBACK_COMPLETE", "DELETE_FAILED"} or stack.status.endswith("_IN_PROGRESS")
        if stack.name == stack_name and is_stuck and stack.status != "REVIEW_IN_PROGRESS":
            message = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            raise ValidationError(message=message)
    values = template_rules.check_parameters(template, parameters, backend.account_id, backend.region_name)
    expanded = template_rules.expand(models.Stack.parse_template(template), values, backend.region_name)
    _check_types(expanded, backend.region_name)
    template_rules.dependencies(expanded, backend.region_name)
    text = json.dumps(expanded, default=str)
    change_set_id, stack_id = _create_change_set(backend, stack_name, change_set_name, text, values, **more)
    backend.change_sets[change_set_id].original = template
    return change_set_id, stack_id


def _check_types(template: dict[str, Any], region: str) -> None:
    """Refuse types that CloudFormation does not know, or that nobody has taught to moto, which would leave them out."""
    types = {resource["Type"] for resource in template["Resources"].values()}
    untaught = sorted(name for name in types if not name.startswith("Custom::") and name not in parsing.get_model_map())
    if unknown := [name for name in untaught if not template_rules.schema(name, region)]:
        raise ValidationError(message=f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    if untaught:
        message = f"This stand-in has no resource types {', '.join(untaught)}: teach them in resources.py"
        raise ValidationError(message=message)


def _create_stack(backend: Any, name: str, template: str, parameters: dict[str, Any], **more: Any) -> Any:
    """Make a stack by a change set that nobody looks at."""
    how = {"description": "", "change_set_type": "CREATE", "tags": more.get("tags")}
    change_set, stack_id = backend.create_change_set(name, "directly", template, parameters, **how)
    backend.execute_change_set(change_set)
    return backend.stacks[stack_id]


def _update_stack(*_: Any, **__: Any) -> None:
    raise ValidationError(message="This stand-in updates stacks by change sets only")


def _execute_change_set(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
    del stack_name
    change_set = backend.describe_change_set(change_set_name)
    if change_set.execution_status != "AVAILABLE":
        message = f"ChangeSet [{change_set_name}] cannot be executed in its current status of [{change_set.status}]"
        raise CloudFormationError("InvalidChangeSetStatus", message)
    stack, kind = backend.stacks[change_set.stack_id], change_set.change_set_type
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    operation.set_status(stack, f"{kind}_IN_PROGRESS", "User Initiated")

    def work() -> None:
        template = copy.deepcopy(change_set.template_dict)  # moto writes into the one that it works on
        status = operation.change(stack, template, change_set.parameters, kind)
        failed = "ROLLBACK" in status
        if not failed:
            stack.template, stack.template_dict = change_set.original, change_set.template_dict
            stack.parameters, stack.tags = change_set.parameters, change_set.tags or {}
            stack.description = stack.template_dict.get("Description")
            stack.output_map = stack._create_output_map()
        change_set.execution_status = "EXECUTE_FAILED" if failed else "EXECUTE_COMPLETE"
        operation.set_status(stack, status)

    _in_background(work)


def _delete_stack(backend: Any, name_or_stack_id: str) -> None:
    for stack in [stack for stack in backend.stacks.values() if name_or_stack_id in {stack.name, stack.stack_id}]:
        operation.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")

        def work(stack: models.Stack = stack) -> None:
            if failed := operation.delete(stack):
                reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]."
                operation.set_status(stack, "DELETE_FAILED", reason)
                return
            operation.set_status(stack, "DELETE_COMPLETE")
            backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)

        _in_background(work)


def _in_background(work: Callable[[], None]) -> None:
    """Begin work in the name of the request's caller; wait for a moment whether it is soon done."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="cloudformation", daemon=True)
    _works.add(thread)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    _works.difference_update([work for work in _works if not work.is_alive()])
