"""Run a moto server with the CloudFormation of infra/local and what tests have ordered."""

from __future__ import annotations

import sys
from typing import Any

from moto.cloudformation.models import Event, cloudformation_backends
from moto.core.common_models import CloudFormationModel

from infra.local.moto import cloudformation, gaps
from tests.infra import scripted_aws


class Broken(CloudFormationModel):
    """A resource that cannot be created, which makes CloudFormation cancel another one."""

    __module__ = "tests.broken.models"  # moto reads the service's name from it

    @staticmethod
    def cloudformation_type() -> str:
        return "Test::Broken::Thing"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> None:
        del resource_name, cloudformation_json
        stack = cloudformation_backends[account_id][region_name].get_stack(kwargs["StackId"])
        cancelled = ("Neighbour", "", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled", None)
        stack.events.append(Event(stack.stack_id, stack.name, *cancelled))
        raise ValueError("the thing is broken")


class Stubborn(CloudFormationModel):
    """A resource that cannot be deleted at first."""

    __module__ = "tests.stubborn.models"
    physical_resource_id = "stubborn"
    tries = 0

    @staticmethod
    def cloudformation_type() -> str:
        return "Test::Stubborn::Thing"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> Stubborn:
        del resource_name, cloudformation_json, account_id, region_name, kwargs
        return cls()

    def delete(self, account_id: str, region_name: str) -> None:
        del account_id, region_name
        self.tries += 1
        if self.tries == 1:
            raise ValueError("the thing is in use")


if __name__ == "__main__":
    gaps.install()
    cloudformation.install("eu-central-1")
    scripted_aws.serve(int(sys.argv[1]))
