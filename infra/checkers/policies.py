"""The policy documents in the templates, with sample values in place of intrinsic functions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from infra.checkers.findings import CheckerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REGION, _ACCOUNT = "eu-central-1", "123456789012"
_CODEARTIFACT = f"arn:aws:codeartifact:{_REGION}:{_ACCOUNT}"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/role"
# What a Ref returns. A parameter that a policy newly uses needs a value here.
_REFS = {
    "AWS::AccountId": _ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": _REGION,
    "AWS::URLSuffix": "amazonaws.com",
    "BucketArn": "arn:aws:s3:::bucket",
    "BucketName": "bucket",
    "DomainArn": f"{_CODEARTIFACT}:domain/domain",
    "DomainName": "domain",
    "EnvironmentName": "environment",
    "PublisherPrincipals": f"arn:aws:iam::{_ACCOUNT}:role/publisher",
    "RepositoryArn": f"{_CODEARTIFACT}:repository/domain/repository",
    "RepositoryName": "repository",
}
# The attribute Arn of a resource, by its type.
_ARNS = {
    "AWS::CodeArtifact::Domain": _REFS["DomainArn"],
    "AWS::CodeArtifact::Repository": _REFS["RepositoryArn"],
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:group:*",
    "AWS::S3::Bucket": _REFS["BucketArn"],
    "AWS::SQS::Queue": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:queue",
}
# The words in capitals in examples/adopt/execution-role-policy.json.
_PLACEHOLDERS = {
    "BUCKET": _REFS["BucketName"],
    "DOMAIN": _REFS["DomainName"],
    "DOMAIN_OWNER": _ACCOUNT,
    "REGION": _REGION,
    "REPOSITORY": _REFS["RepositoryName"],
}


def policies(template: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each policy document of an expanded template, with the resource that has it.

    :param template: the template without loops.
    :raises CheckerError: if a document uses something that has no sample value.
    """
    for name, resource in template["Resources"].items():
        for document in _documents(resource.get("Properties", {})):
            yield name, _resolve(document, template["Resources"])


def render(document: Mapping[str, Any]) -> str:
    """Return a document as JSON with a line for each statement: the second line is the first statement.

    :param document: the policy document.
    """
    lines = ",\n".join(json.dumps(_complete(statement)) for statement in document["Statement"])
    return f'{{"Version": {json.dumps(document.get("Version"))}, "Statement": [\n{lines}\n]}}'


def _complete(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement with its resource, which a role's trust policy leaves out because it is the role itself."""
    return statement if {"Resource", "NotResource"} & statement.keys() else {**statement, "Resource": _ROLE}


def fill_in(policy: str) -> dict[str, Any]:
    """Return the policy of docs/adopt.md with sample names instead of the words in capitals.

    :param policy: the JSON.
    """
    document: dict[str, Any] = json.loads(re.sub(rf"\b({'|'.join(_PLACEHOLDERS)})\b", _placeholder, policy))
    return document


def _placeholder(word: re.Match[str]) -> str:
    return _PLACEHOLDERS[word[0]]


def _documents(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict) and "Statement" in node:
        yield node
    elif isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _documents(each)


def _resolve(node: Any, resources: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_resolve(each, resources) for each in node]
    if not isinstance(node, dict):
        return node
    for function, argument in node.items():
        if function == "Ref" or function.startswith("Fn::"):
            return _call(function, argument, resources)
    return {key: _resolve(each, resources) for key, each in node.items()}


def _call(function: str, argument: Any, resources: Mapping[str, Any]) -> Any:
    match function:
        case "Fn::If":
            return _resolve(argument[1], resources)  # in these templates, the branch of a setting that is set
        case "Fn::Split":
            return str(_resolve(argument[1], resources)).split(argument[0])
        case "Fn::Join":
            return argument[0].join(_resolve(argument[1], resources))
        case "Fn::Sub":
            text, own = (argument, {}) if isinstance(argument, str) else argument
            own = _resolve(own, resources)
            return re.sub(r"\$\{([^}]+)\}", lambda name: own.get(name[1]) or _value(name[1], resources), text)
        case "Ref" | "Fn::GetAtt":
            return _value(argument if isinstance(argument, str) else ".".join(argument), resources)
    raise CheckerError(f"A policy uses {function}, which is not resolved: add it to infra/checkers/policies.py")


def _value(name: str, resources: Mapping[str, Any]) -> str:
    resource, _, attribute = name.partition(".")
    value = _ARNS.get(resources.get(resource, {}).get("Type", "")) if attribute == "Arn" else _REFS.get(name)
    if value is None:
        raise CheckerError(f"A policy uses {name}, which has no sample value: add one to infra/checkers/policies.py")
    return value
