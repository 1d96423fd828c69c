"""Custom resources: the Lambda function behind ServiceToken is asked, and its answer at the response URL is awaited."""

from __future__ import annotations

import queue
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moto.awslambda.utils import get_backend
from moto.cloudformation.custom_model import CustomModel

from infra.local.moto import lambda_runtime, operation

if TYPE_CHECKING:
    from collections.abc import Callable


class CustomResource(CustomModel):
    """Ask the function, and take its answer."""

    answers: dict[str, queue.Queue[dict[str, Any]]] = {}  # noqa: RUF012  (shared by design: request id to its answer)
    answers_url: Callable[[], str]
    takes_time = True
    account_id: str
    ids: dict[str, str]
    properties: dict[str, Any]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **ids: Any
    ) -> CustomResource:
        """Create it."""
        resource = cls(region_name, "", ids["LogicalId"], resource_name)
        resource.account_id, resource.properties = account_id, cloudformation_json["Properties"]
        resource.ids = {"LogicalResourceId": ids["LogicalId"], **{key: ids[key] for key in ("StackId", "ResourceType")}}
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

    def delete(self, *_: str) -> None:
        """Delete it."""
        self._request("Delete", PhysicalResourceId=self.resource_name)

    def _request(self, request_type: str, **more: Any) -> None:
        request_id, url = str(uuid.uuid4()), type(self).answers_url()
        event = {"RequestType": request_type, "ResponseURL": url + request_id, "RequestId": request_id, **self.ids}
        function = get_backend(self.account_id, self.region_name).get_function(self.properties["ServiceToken"])
        # With the permissions of who deploys. Guide, "Custom resources": how they work.
        operation.require("lambda:InvokeFunction", function.function_arn)
        self.answers[request_id] = queue.Queue()
        try:
            body = self._answer(function, {**event, "ResourceProperties": self.properties, **more})
        finally:
            del self.answers[request_id]
        if body["Status"] != "SUCCESS":
            message = f"Message returned: {body['Reason']}"
            raise RuntimeError(f"Received response status [FAILED] from custom resource. {message}")
        if request_type != "Delete":
            self.resource_name = body["PhysicalResourceId"]
            self.set_data(body.get("Data", {}))

    def _answer(self, function: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Wait for the answer as long as ServiceTimeout lets, or until the last attempt has ended without one."""
        deadline = time.monotonic() + float(self.properties.get("ServiceTimeout", 3600))
        invocation, ended = lambda_runtime.invoke_async(function, event), False
        while not ended and time.monotonic() < deadline:
            ended = not invocation.is_alive()
            with suppress(queue.Empty):
                return self.answers[event["RequestId"]].get(timeout=1 if ended else 0.05)
        raise RuntimeError(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
            f"requestId [{event['RequestId']}]. If you are using the Python cfn-response module, you may need to "
            "update your Lambda function code so that CloudFormation can attach the updated version."
        )
