"""Files, templates and verbs keep the promises of docs/compatibility.md outside Airflow."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from infra import ROOT
from infra.mwaa_facts import PYTHON_VERSIONS
from infra.refresher import metrics
from infra.setup import known_versions
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, Token
from tests.docs.public_interfaces import public_interfaces
from tests.infra.cloudformation.support import STACKS, load

PUBLIC = public_interfaces()
NOW = datetime(2030, 1, 1, tzinfo=UTC)
FACTS = LineFacts(
    token_expires_at=NOW, refreshed_at=NOW, refreshed_by="dag", token_fingerprint="0123456789ab", repository="a/b/c/d"
)
# One more without a default would break the deployments of users who deploy the templates by hand.
WITHOUT_DEFAULT = {
    "network": {"EnvironmentName"},
    "repository": {"BucketName", "DomainName", "RepositoryName"},
    "refresher": {
        *("BucketName", "DomainArn", "DomainName", "DomainOwner", "EnvironmentName"),
        *("RefresherS3ObjectVersion", "RepositoryArn", "RepositoryName"),
    },
    "mwaa": {
        *("AlarmTopicArn", "BucketArn", "DomainArn", "DomainName", "DomainOwner", "EnvironmentName"),
        *("IndexUrlDestination", "PluginsS3ObjectVersion", "PrivateSubnetIds", "RepositoryArn", "RepositoryName"),
        *("RequirementsS3ObjectVersion", "SecurityGroupId", "StartupScriptS3ObjectVersion"),
    },
}


def test_a_line_has_the_promised_facts_as_metadata_and_in_its_comment() -> None:
    promised = PUBLIC["metadata of the index-url file, and its comment line"]
    assert list(FACTS.to_metadata()) == promised
    comment = IndexUrlFile("https://example.org/", Token("secret", NOW), FACTS).render().decode().splitlines()[0]
    assert re.findall(r"([\w-]+)=", comment) == promised


def test_every_promised_verb_exists() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(PUBLIC["make verbs"]) - verbs == set()


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_has_exactly_the_promised_outputs(stack: str) -> None:
    assert set(load(stack)["Outputs"]) == set(PUBLIC[f"outputs of the {stack} stack"])


@pytest.mark.parametrize("stack", STACKS)
def test_no_further_parameter_is_required(stack: str) -> None:
    parameters = load(stack)["Parameters"]
    assert {name for name, each in parameters.items() if "Default" not in each} == WITHOUT_DEFAULT[stack]


def test_the_lambda_writes_to_the_promised_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("demo", RemainingLifetime=(1.0, "Seconds"))
    (definition,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    (row,) = (name for name in PUBLIC if name.startswith("metrics in CloudWatch"))
    assert f"namespace `{definition['Namespace']}`" in row
    alarms = {each["Properties"].get("MetricName") for each in load("refresher")["Resources"].values()}
    assert set(PUBLIC[row]) <= alarms


def test_the_supported_versions_are_those_that_are_tested_and_can_be_deployed() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| (\d\.\d+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert [version for version, *_ in rows] == known_versions()
    assert {version: python for version, python, _ in rows} == PYTHON_VERSIONS
    assert set(load("mwaa")["Parameters"]["AirflowVersion"]["AllowedValues"]) == set(known_versions())
    for version, _, provider in rows:
        pins = (ROOT / "requirements" / f"constraints-{version}.txt").read_text(encoding="utf-8").splitlines()
        assert f"apache-airflow-providers-amazon=={provider}" in pins
