"""Deployments, releases and rollbacks from end to end: small stacks, the AWS CLI, an MWAA that obeys the test."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.templates import STACKS, read_templates
from infra.deploy import release as module
from infra.deploy.deploy import deploy, web_address
from infra.deploy.environment import EnvironmentFailedError
from infra.deploy.release import (
    Deployed,
    NotDeployedError,
    ReleaseError,
    release_all,
    release_plugins,
    release_requirements,
    roll_back,
)
from infra.deploy.release_history import KEY
from infra.deploy.stacks import StackError
from infra.deploy.verdict import NotGoodError
from infra.preflight import CannotCheckError
from tests.infra.deploy import pip_output as pip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("impatient")]

TEMPLATES = {
    "network": "Parameters: {EnvironmentName: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic}}",
    "repository": """
Parameters: {BucketName: {Type: String}}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Ref BucketName, VersioningConfiguration: {Status: Enabled}}
Outputs: {BucketName: {Value: !Ref Bucket}}
""",
    "refresher": """
Parameters:
  RefresherS3Key: {Type: String}
  RefresherS3ObjectVersion: {Type: String}
  AlarmEmail: {Type: String, Default: ""}
Conditions: {HasEmail: !Not [!Equals [!Ref AlarmEmail, ""]]}
Resources:
  Code:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref AWS::StackName, Type: String, Value: !Ref RefresherS3ObjectVersion}
  Alarms:
    Type: AWS::SNS::Topic
    Properties:
      Subscription: !If [HasEmail, [{Protocol: email, Endpoint: !Ref AlarmEmail}], !Ref AWS::NoValue]
Outputs: {AlarmTopicArn: {Value: !Ref Alarms}}
""",
    "mwaa": """
Parameters:
  EnvironmentName: {Type: String}
  PluginsS3ObjectVersion: {Type: String}
  RequirementsS3ObjectVersion: {Type: String}
  StartupScriptS3ObjectVersion: {Type: String}
  MaxWorkers: {Type: String, Default: "2"}
Resources:
  Environment:
    Type: AWS::MWAA::Environment
    Properties:
      Name: !Ref EnvironmentName
      PluginsS3ObjectVersion: !Ref PluginsS3ObjectVersion
      RequirementsS3ObjectVersion: !Ref RequirementsS3ObjectVersion
      StartupScriptS3ObjectVersion: !Ref StartupScriptS3ObjectVersion
      MaxWorkers: !Ref MaxWorkers
Outputs: {WebserverUrl: {Value: !GetAtt Environment.WebserverUrl}}
""",
}
FILES = {
    "plugins/mwaa_codeartifact/__init__.py": "",
    "plugins/mwaa_codeartifact/core/__init__.py": "",
    "infra/refresher/handler.py": "",
    "requirements/requirements.txt": "humanize\n",
    "requirements/startup.sh": "true\n",
    "dags/one.py": "",
}
ALL_GOOD = dict.fromkeys(("Worker", "Scheduler", "WebServer"), pip.SUCCESS)
ONE_BAD = {**ALL_GOOD, "Scheduler": pip.NO_SUCH_VERSION}


class Project:
    """A project folder with its deployment."""

    def __init__(self, root: Path, aws: Aws, settings: Settings, order: Callable[..., None], session: Any) -> None:
        self.root, self.aws, self.settings, self._order = root, aws, settings, order
        self.requirements = root / "requirements" / "requirements.txt"
        self.cloudformation, self.s3 = session("cloudformation"), session("s3")
        for name, text in {**FILES, **{f"templates/{stack}.yaml": TEMPLATES[stack] for stack in STACKS}}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        self.templates: Mapping[str, Template] = read_templates(root / "templates")

    def next(self, **behaviour: Any) -> None:
        """Set how MWAA handles the next change."""
        self._order(mwaa={self.settings.environment_name: {"pip": {}, "refusal": "", **behaviour}})

    def deploy(self) -> None:
        deploy(self.aws, self.settings, self.templates, self.requirements, self.root)

    def require(self, text: str) -> None:
        self.requirements.write_text(text)

    def change_template(self, stack: str, old: str, new: str) -> None:
        """Replace a text in a stack's template, and read the templates again."""
        path = self.root / "templates" / f"{stack}.yaml"
        path.write_text(TEMPLATES[stack].replace(old, new))
        self.templates = read_templates(path.parent)

    @property
    def deployed(self) -> Deployed:
        return Deployed.read(self.aws, self.settings, self.templates)

    def release(self, *, force: bool = True) -> None:
        release_requirements(self.deployed, self.requirements, force=force, root=self.root)

    @property
    def verdicts(self) -> list[str]:
        return [entry["verdict"] for entry in self.recorded()]

    def recorded(self) -> list[dict[str, Any]]:
        body = self.s3.get_object(Bucket=self.settings.parameters["BucketName"], Key=KEY)["Body"].read()
        entries: list[dict[str, Any]] = json.loads(body)
        return entries

    def parameters(self, stack: str) -> dict[str, str]:
        found = self.cloudformation.describe_stacks(StackName=self.settings.stack_name(stack))["Stacks"][0]
        return {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}

    def updates(self) -> int:
        """Return the number of updates of the environment that CloudFormation has begun."""
        events = self.cloudformation.describe_stack_events(StackName=self.settings.stack_name("mwaa"))["StackEvents"]
        began = ("AWS::MWAA::Environment", "UPDATE_IN_PROGRESS")
        return sum((each["ResourceType"], each["ResourceStatus"]) == began for each in events)


@pytest.fixture
def project(
    tmp_path: Path,
    cli_without_retries: Aws,
    settings: Settings,
    order: Callable[..., None],
    session: Any,
    endpoint: str,
) -> Project:
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint)

    project = Project(tmp_path, cli_without_retries, settings, order, client)
    project.next(pip=ALL_GOOD)
    return project


def test_a_deployment_prints_pips_verdict_the_ui_address_and_the_unconfirmed_email(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {**project.settings.parameters, "AlarmEmail": "someone@example.com"}
    project.settings = replace(project.settings, parameters=parameters)
    project.deploy()
    printed = capsys.readouterr().out
    assert "installed: humanize-4.0.0\n" in printed
    assert f"Airflow UI: https://{project.settings.environment_name}.c2.airflow.eu-central-1.on.aws\n" in printed
    assert "Alarms are not sent yet: someone@example.com must confirm the subscription" in printed
    assert printed.index("environment ") < printed.index("Airflow UI: ")
    assert project.verdicts == ["good"]

    project.deploy()
    assert "nothing changed: the stacks and all uploaded files are as they were\n" in capsys.readouterr().out
    assert project.verdicts == ["good"]


def test_a_deployment_whose_pip_failed_fails_and_so_does_its_repetition(project: Project) -> None:
    project.next(pip=ONE_BAD)
    with pytest.raises(NotGoodError, match="pip failed on the containers: the repository has no such package"):
        project.deploy()
    assert project.verdicts == ["bad"]
    with pytest.raises(NotGoodError, match="has failed: the repository has no such package"):
        project.deploy()


def test_a_deployment_without_a_verdict_fails_and_its_repetition_reads_the_logs_again(
    project: Project, session: Any, endpoint: str
) -> None:
    project.next(pip={**ALL_GOOD, "WebServer": "Collecting humanize"})
    with pytest.raises(NotGoodError, match=r"No verdict: the stream .* in .*-WebServer ends without pip's last line"):
        project.deploy()
    assert project.verdicts == ["none"]
    group = f"airflow-{project.settings.environment_name}-WebServer"
    logs = session.client("logs", endpoint_url=endpoint)
    stream = logs.describe_log_streams(logGroupName=group)["logStreams"][0]["logStreamName"]
    late = [{"timestamp": int(time.time() * 1000), "message": "[INFO] - Successfully installed humanize-4.0.0"}]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=late)
    project.deploy()
    assert project.verdicts == ["good"]


def test_a_changed_setting_that_starts_no_container_is_followed_without_a_verdict(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.deploy()
    project.next()
    project.settings = replace(project.settings, parameters={**project.settings.parameters, "MaxWorkers": "5"})
    project.deploy()
    assert "no new container has started\n" in capsys.readouterr().out
    assert project.verdicts == ["good"]


def test_an_update_that_mwaa_rolled_back_is_recorded_as_bad_with_mwaas_reason(project: Project) -> None:
    project.deploy()
    project.next(refusal="the startup script failed")
    project.require("humanize # changed\n")
    with pytest.raises(EnvironmentFailedError, match=r"went back .*the startup script failed"):
        project.release()
    assert project.verdicts == ["good", "bad"]
    assert "the startup script failed" in project.recorded()[-1]["reason"]


def test_a_release_deploys_all_changes_in_one_update(project: Project) -> None:
    project.deploy()
    before = project.parameters("mwaa") | project.parameters("refresher")
    project.next(pip=ALL_GOOD)
    project.require("humanize # changed\n")
    (project.root / "requirements" / "startup.sh").write_text("true # changed\n")
    (project.root / "plugins" / "mwaa_codeartifact" / "core" / "new.py").write_text("")
    (project.root / "dags" / "new.py").write_text("")
    release_all(project.deployed, project.requirements, force=True, root=project.root)
    after = project.parameters("mwaa") | project.parameters("refresher")
    assert {name for name in after if after[name] != before[name]} == {
        "PluginsS3ObjectVersion",
        "RequirementsS3ObjectVersion",
        "StartupScriptS3ObjectVersion",
        "RefresherS3ObjectVersion",
    }
    assert project.updates() == 1
    assert project.verdicts == ["good", "good"]
    assert project.s3.head_object(Bucket=project.settings.parameters["BucketName"], Key="dags/new.py")


def test_the_dags_of_a_failed_release_are_not_uploaded(project: Project) -> None:
    project.deploy()
    project.next(pip=ONE_BAD)
    (project.root / "dags" / "new.py").write_text("import humanize")
    with pytest.raises(NotGoodError):
        release_all(project.deployed, project.requirements, force=True, root=project.root)
    listing = project.s3.list_objects_v2(Bucket=project.settings.parameters["BucketName"], Prefix="dags/")
    assert [each["Key"] for each in listing["Contents"]] == ["dags/one.py"]


def test_a_release_of_plugins_also_updates_the_lambdas_copy_of_the_code(project: Project) -> None:
    project.deploy()
    before = project.parameters("refresher")["RefresherS3ObjectVersion"]
    project.next(pip=ALL_GOOD)
    (project.root / "plugins" / "mwaa_codeartifact" / "core" / "new.py").write_text("")
    release_plugins(project.deployed, root=project.root)
    assert project.parameters("refresher")["RefresherS3ObjectVersion"] != before
    assert project.updates() == 1


def test_a_rollback_skips_failed_releases_and_a_second_one_goes_further_back(project: Project) -> None:
    project.deploy()
    versions = [project.parameters("mwaa")["RequirementsS3ObjectVersion"]]
    for text, output in {"humanize # 2\n": ALL_GOOD, "humanize==999\n": ONE_BAD, "humanize==998\n": ONE_BAD}.items():
        project.require(text)
        project.next(pip=output)
        if output is ALL_GOOD:
            project.release()
        else:
            with pytest.raises(NotGoodError):
                project.release()
        versions.append(project.parameters("mwaa")["RequirementsS3ObjectVersion"])
    project.next(pip=ALL_GOOD)
    roll_back(project.deployed)
    assert project.parameters("mwaa")["RequirementsS3ObjectVersion"] == versions[1]
    project.next(pip=ALL_GOOD)
    roll_back(project.deployed)
    assert project.parameters("mwaa")["RequirementsS3ObjectVersion"] == versions[0]
    with pytest.raises(ReleaseError, match="No earlier release"):
        roll_back(project.deployed)
    assert project.verdicts == ["good", "good", "bad", "bad", "good", "good"]


def test_a_release_whose_stack_failed_is_recorded_as_bad(project: Project) -> None:
    project.deploy()
    project.require("humanize # changed\n")
    project.change_template("mwaa", "AWS::MWAA::Environment", "Test::Broken::Thing")
    with pytest.raises(StackError):
        project.release()
    assert project.verdicts == ["good", "bad"]


def test_a_template_with_a_new_parameter_needs_a_deployment(project: Project) -> None:
    project.deploy()
    project.require("humanize # changed\n")
    project.change_template("mwaa", "Parameters:\n", "Parameters:\n  SubnetIds: {Type: String}\n")
    with pytest.raises(StackError, match=r"mwaa\.yaml has new parameters \(SubnetIds\): run `make deploy`"):
        project.release()


def test_a_release_without_an_environment_is_refused(project: Project) -> None:
    with pytest.raises(NotDeployedError, match="is not deployed: run `make deploy` first"):
        assert project.deployed


def test_a_file_that_cannot_be_checked_is_not_released(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.deploy()
    monkeypatch.setenv("PREFLIGHT_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("AIRFLOW_VERSION", "3.0.6")
    monkeypatch.setattr(module, "ROOT", project.root)  # where .env is
    project.require("-e .\n")
    before = project.parameters("mwaa")
    with pytest.raises(CannotCheckError):
        project.release(force=False)
    assert project.parameters("mwaa") == before
    assert project.verdicts == ["good"]


@pytest.mark.parametrize(
    ("host", "address"),
    [("1234.c2.airflow.eu-central-1.on.aws", "https://1234.c2.airflow.eu-central-1.on.aws"), ("127.0.0.1:8080", "http://127.0.0.1:8080")],
)  # fmt: skip
def test_the_address_of_the_ui_can_be_opened(host: str, address: str) -> None:
    assert web_address(host) == address
