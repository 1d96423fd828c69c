from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.cli.templates import STACKS, TEMPLATES
from infra.lab.mutation.__main__ import SURVIVORS, every_mutation
from infra.lab.mutation.mutations import mutations, read

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = """
Rules:
  Never:
    Assertions: []
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
      Policies:
        - PolicyDocument:
            Statement:
              - Sid: First
                Condition: {}
              - Sid: Second
  Fn::ForEach::Endpoints:
    - Service
    - [sqs, logs]
    - ${Service}Endpoint:
        Type: AWS::EC2::VPCEndpoint
        Properties:
          PrivateDnsEnabled: true
"""


def template(folder: Path) -> dict[str, Any]:
    path = folder / "t.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return read(path)


def test_resources_statements_endpoints_rules_and_switches_are_each_removed_once(tmp_path: Path) -> None:
    assert [mutation.name for mutation in mutations("t", template(tmp_path))] == [
        "t: rule Never",
        "t: resource Role",
        "t: statement Role/Statement-1",
        "t: statement Role/First",
        "t: switch Role/First/Condition",
        "t: statement Role/Second",
        "t: resource Fn::ForEach::Endpoints",
        "t: endpoint Fn::ForEach::Endpoints/sqs",
        "t: endpoint Fn::ForEach::Endpoints/logs",
        "t: switch Fn::ForEach::Endpoints/PrivateDnsEnabled",
    ]


def test_a_mutation_removes_the_element_that_it_names_and_nothing_else(tmp_path: Path) -> None:
    document = template(tmp_path)
    (second,) = [each for each in mutations("t", document) if each.name == "t: statement Role/Second"]
    before = document["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    after = second.apply(document)["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert (len(before), after) == (2, before[:1])


def test_the_mutations_of_our_templates_have_names_of_their_own() -> None:
    names = [each.name for stack in STACKS for each in mutations(stack, read(TEMPLATES / f"{stack}.yaml"))]
    assert len(names) > 100
    assert sorted(set(names)) == sorted(names)


def test_every_survivor_with_a_reason_is_still_a_mutation() -> None:
    assert SURVIVORS.keys() <= {mutation.name for mutation in every_mutation()}
