"""The output and the end of `make status`; the AWS CLI is real, AWS is moto, and a test sets MWAA's responses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.wrappers import Request, Response

from infra.cli.aws import Aws, AwsError
from infra.cli.settings import Settings
from infra.deploy import release_history
from infra.deploy.refresh_dag import refresh_dag
from infra.deploy.status import StatusError, status
from mwaa_codeartifact.core.index_url import LineFacts, format_time
from mwaa_codeartifact.status.dag_state import DagState
from tests.plugins.mwaa_codeartifact.core.support import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION, OWNER, DAG = "eu-central-1", "123456789012", "refresh_codeartifact_index_url"
HOUR = timedelta(hours=1)


@dataclass
class Mwaa:
    """MWAA with one environment, and its Airflow.

    :param environment: further properties that GetEnvironment returns.
    :param dag: further properties of the refresh DAG in Airflow; None: Airflow has no such DAG.
    :param run_state: the state of its last run.
    :param may_invoke: whether the caller may invoke Airflow's REST API.
    """

    environment: dict[str, Any] = field(default_factory=dict)
    dag: dict[str, Any] | None = field(default_factory=dict)
    run_state: str = "success"
    may_invoke: bool = True
    calls: list[Any] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/environments/nothing":
            return _refuse("ResourceNotFoundException", 404)
        if request.path.startswith("/environments/"):
            found = {"Name": "e", "Status": "AVAILABLE", "AirflowVersion": "3.3.1", "WebserverUrl": "web.example"}
            return _json({"Environment": found | self.environment})
        if not self.may_invoke:
            return _refuse("AccessDeniedException", 403)
        call = json.loads(request.get_data())
        self.calls.append(call)
        now = datetime.now(UTC)
        if call["Path"] == "/dags":
            others = [{"dag_id": f"my_{DAG}", "is_paused": True, "is_stale": False}]
            dag = {"dag_id": DAG, "is_paused": False, "is_stale": False, "has_import_errors": False}
            dag |= {"next_dagrun_run_after": format_time(now + HOUR)}
            body: dict[str, Any] = {"dags": others if self.dag is None else [*others, dag | self.dag]}
        else:
            times = {"start_date": format_time(now), "end_date": format_time(now)}
            body = {"dag_runs": [{"state": self.run_state, **times}]}
        return _json({"RestApiStatusCode": 200, "RestApiResponse": body})


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), mimetype="application/json")


def _refuse(code: str, http_status: int) -> Response:
    return Response(json.dumps({"message": "no"}), http_status, {"x-amzn-errortype": code}, mimetype="application/json")


@pytest.fixture
def mwaa() -> Mwaa:
    return Mwaa()


@pytest.fixture
def runner(mwaa: Mwaa, environ: dict[str, str]) -> Iterator[Aws]:
    with serve(mwaa) as url:
        prefix = {"AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}  # botocore puts env. or api. before MWAA's host
        yield Aws(REGION, {**environ, **prefix, "AWS_ENDPOINT_URL_MWAA": url})


@pytest.fixture
def deployed(cloudformation: Any, s3: Any, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    """Deploy the repository's stack with its outputs, and a line."""
    name = f"e{abs(hash(request.node.name)) % 10**9}"
    outputs = {"DomainName": "data", "DomainOwner": OWNER, "RepositoryName": "python", "BucketName": f"bucket-{name}"}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    cloudformation.create_stack(StackName=f"{name}-repository", TemplateBody=json.dumps(template))
    s3.create_bucket(Bucket=outputs["BucketName"], CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(life: timedelta | None, by: str = "dag", repository: str = "python") -> Settings:
        if life is not None:
            facts = LineFacts(
                token_expires_at=datetime.now(UTC) + life,
                refreshed_at=datetime.now(UTC),
                refreshed_by=by,
                token_fingerprint="0123456789ab",
                repository=f"{REGION}/{OWNER}/data/{repository}",
            )
            line = {"Body": b"--index-url https://aws:canary@x", "Metadata": facts.to_metadata()}
            s3.put_object(Bucket=outputs["BucketName"], Key="dags/codeartifact.txt", **line)
        return Settings(REGION, name, {"BucketName": outputs["BucketName"]}, {})

    return put


@pytest.mark.long
def test_status_prints_the_verdict_of_the_status_page_with_the_state_of_the_dag(
    runner: Aws, deployed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = deployed(11.55 * HOUR, by="lambda")
    status(runner, settings)
    printed = capsys.readouterr().out
    name = settings.environment_name
    assert f"stack {name}-repository: CREATE_COMPLETE\n" in printed
    assert f"stack {name}-mwaa: not there\n" in printed
    assert f"environment {name}: AVAILABLE, Airflow 3.3.1, web.example\n" in printed
    line = (
        f"index-url s3://bucket-{name}/dags/codeartifact.txt: alive: pip can install with it, and the DAG keeps it so"
    )
    assert line in printed
    assert "\n  11.5 h left, token-expires-at " in printed
    assert "canary" not in printed


@pytest.mark.long
def test_a_line_at_risk_is_reported_but_is_no_failure(
    runner: Aws, mwaa: Mwaa, deployed: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    mwaa.dag = {"is_paused": True}
    status(runner, deployed(11 * HOUR))
    printed = capsys.readouterr().out
    assert ": at risk: pip can install with it, but the refresh DAG is paused: unpause it." in printed


@pytest.mark.long
def test_a_failed_update_a_bad_release_and_a_stale_line_are_reported_and_status_fails(
    runner: Aws,
    mwaa: Mwaa,
    deployed: Callable[..., Settings],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "requirements.txt is not there"}
    mwaa.environment = {"LastUpdate": {"Status": "FAILED", "Error": error}}
    release = {"at": "2030-01-01T00:00:00Z", "verdict": "bad"}
    monkeypatch.setattr(release_history, "last_release", lambda _aws, _bucket: release, raising=False)
    with pytest.raises(StatusError, match="The index-url is stale: The token in the line has expired") as failed:
        status(runner, deployed(-HOUR))
    assert failed.value.exit_status == 1
    printed = capsys.readouterr().out
    assert "its LAST UPDATE FAILED, and it runs on with what it had before: requirements.txt is not there" in printed
    assert ": 2030-01-01T00:00:00Z, bad, pip or the update failed: packages are missing" in printed
    assert ": stale: The token in the line has expired" in printed
    assert "\n  EXPIRED, token-expires-at " in printed


@pytest.mark.long
def test_before_a_deployment_the_verdict_is_unknown(runner: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        StatusError, match="The index-url is unknown: The repository is not deployed: run `make deploy`"
    ):
        status(runner, Settings(REGION, "nothing", {"BucketName": "no-such-bucket"}, {}))
    assert "environment nothing: not there\n" in capsys.readouterr().out


@pytest.mark.long
def test_a_part_that_cannot_be_read_is_reported_after_all_others(
    environ: dict[str, str],
    deployed: Callable[..., Settings],
    order: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = deployed(11 * HOUR)
    order(fail={"GetEnvironment": 50, "InvokeRestApi": 50})
    with pytest.raises(AwsError, match="GetEnvironment failed"):
        status(Aws(REGION, {**environ, "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}), settings)
    printed = capsys.readouterr().out
    assert f"environment {settings.environment_name}: not known\n" in printed
    assert (
        ": alive: pip can install with it, and the DAG refreshed it last; the state of the DAG is not known" in printed
    )
    assert "\n  the refresh DAG: not known, Airflow could not be asked: InvokeRestApi failed" in printed


def test_airflow_gets_one_request_for_the_dag_and_one_for_its_last_runs(runner: Aws, mwaa: Mwaa) -> None:
    dag, problem = refresh_dag(runner, "e")
    assert dag
    assert (dag.exists, dag.is_active, dag.is_paused, dag.last_run_state, problem) == (True, True, False, "success", "")
    assert [(call["Method"], call["Path"], call["QueryParameters"]) for call in mwaa.calls] == [
        ("GET", "/dags", {"dag_id_pattern": DAG, "limit": 100}),
        ("GET", f"/dags/{DAG}/dagRuns", {"order_by": "-id", "limit": 10}),
    ]


def test_a_dag_that_airflow_does_not_list_does_not_exist(runner: Aws, mwaa: Mwaa) -> None:
    mwaa.dag = None
    assert refresh_dag(runner, "e") == (DagState(exists=False), "")


def test_a_caller_without_access_to_airflow_gets_the_reason(runner: Aws, mwaa: Mwaa) -> None:
    mwaa.may_invoke = False
    dag, problem = refresh_dag(runner, "e")
    assert dag is None
    assert problem.startswith("AWS denied InvokeRestApi")
