"""Prove the main job, step by step, each on what the step before has left."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.deploy.upload import INDEX_URL_KEY
from infra.local.deployment import BUCKET, ENVIRONMENT, Deployment
from infra.local.steps import Steps, expect

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.mwaa.container import Container

# Long enough to mint, verify and publish; short enough to wait for its end.
_SHORT_LIFE = timedelta(seconds=20)
_REFRESH_DAG = "refresh_codeartifact_index_url"


def demo(deployment: Deployment, folder: Path) -> None:
    """Run every step.

    :param deployment: nothing deployed yet.
    :param folder: where everything that the demo writes is, for the search for leaked tokens.
    :raises DemoError: saying what failed.
    """
    steps = _Demo(deployment, "demo")
    steps.deploy()
    steps.bootstrap()
    steps.start()
    steps.refresh_by_dag()
    steps.use_the_package()
    steps.deploy_again()
    steps.lose_the_file()
    steps.start_on_an_expired_line()
    steps.use_no_more_than_needed()
    steps.find_no_leak(folder)
    steps.destroy()
    steps.show("All of it holds.")


class _Demo(Steps):
    def deploy(self) -> None:
        self.title("Deploy the stacks with the real AWS CLI")
        self._deployment.deploy()

    def bootstrap(self) -> None:
        self.title("Bootstrap: the Lambda has written the first line")
        self._facts = self._expect_refreshed_by("lambda")

    def start(self) -> None:
        self.title("Start: pip installs through the index-url, then Airflow")
        airflow = self._deployment.wait_until_available()
        expect(self.told("Looking in indexes: http://aws:****@"), "pip did not use the index-url")
        expect(self.told("Successfully installed numpy"), "pip did not install numpy")
        self.show(f"Airflow is at {airflow.url}")

    def refresh_by_dag(self) -> None:
        self.title("Refresh: the DAG publishes a line that lives longer")
        self._run_dag(_REFRESH_DAG, min_remaining_hours=12)
        facts = self._expect_refreshed_by("dag")
        expect(_expiry(facts) > _expiry(self._facts), "the DAG's line does not live longer than the Lambda's")

    def use_the_package(self) -> None:
        self.title("Use: a task imports numpy from where pip put it")
        value = self.returned_by("example_codeartifact", "print_array")
        self.show(f"numpy {value['version']} from {value['path']}: {value['array']}")
        expect("/airflow/.local/" in value["path"], "numpy does not come from the container's own packages")

    def deploy_again(self) -> None:
        self.title("Deploy again: nothing changes")
        before = self._deployed()
        self._deployment.deploy()
        expect(self._deployed() == before, "a second deploy changed a stack or an object")

    def lose_the_file(self) -> None:
        self.title("Lose the index-url file: the DAG brings it back, and so does the Lambda")
        self._delete_index_url()
        self._run_dag(_REFRESH_DAG)
        self._expect_refreshed_by("dag")
        # From here on the DAG is off: its hourly run must not come before the Lambda.
        self._deployment.pause(_REFRESH_DAG, is_paused=True)
        self._delete_index_url()
        self._deployment.make("refresh")
        self._expect_refreshed_by("lambda")

    def start_on_an_expired_line(self) -> None:
        self.title("Expire: without a startup script, a dead token means no packages, until somebody refreshes")
        # Both refreshers are off: the DAG is paused, and the Lambda's next tick is half an hour away.
        codeartifact = self._deployment.server.codeartifact
        codeartifact.token_life_limit = _SHORT_LIFE
        self._delete_index_url()
        self._deployment.make("refresh")
        codeartifact.token_life_limit = None
        remaining = _expiry(self._expect_refreshed_by("lambda")) - datetime.now().astimezone()
        self.show(f"waiting {remaining.total_seconds():.0f} s for the token to die")
        time.sleep(max(remaining.total_seconds(), 0) + 1)
        dead = self._deployment.client("s3").head_object(Bucket=BUCKET, Key=INDEX_URL_KEY)["VersionId"]
        container = self._new_container(startup_script=False)
        expect(not container.start(), "pip succeeded on an expired token")
        expect(self.told("401 Error, Credentials not correct"), "pip did not report the 401")
        expect(not self.imported(container, "numpy"), "numpy is there although pip failed")
        self.show("the container started without its packages: import numpy fails")
        errors = self._deployment.sum_of_metric(f"{ENVIRONMENT}-RequirementsInstallErrors")
        self.show(f"the alarm's metric RequirementsInstallErrors counts {errors:.0f} lines of pip's log")
        expect(errors, "the alarm's metric does not count what pip says")
        self._deployment.make("refresh")
        container = self._new_container(startup_script=False)
        expect(container.start(), "pip failed on a fresh token")
        self._expect_numpy(container, "the same start, refreshed")
        self._start_with_the_startup_script(dead)

    def _start_with_the_startup_script(self, dead: str) -> None:
        self.title("Defend: with its startup script, a container that finds the same dead token mends it by itself")
        line = {"Bucket": BUCKET, "Key": INDEX_URL_KEY}
        self._deployment.client("s3").copy_object(**line, CopySource={**line, "VersionId": dead})
        self.show("the dead line is back, as if no refresher had run")
        container = self._new_container()
        expect(container.start(), "pip failed although the startup script ran")
        expect(self.told("startup: index-url refreshed, lives until"), "the startup script did not refresh the line")
        self._expect_refreshed_by("startup")
        self._expect_numpy(container, "the same start, with the startup script")

    def use_no_more_than_needed(self) -> None:
        self.title("Privileges: the roles were refused nothing, and are granted nothing that nobody needs")
        self.expect_least_privilege("refresher", "mwaa")

    def find_no_leak(self, folder: Path) -> None:
        self.title("Search: the tokens are in codeartifact.txt and nowhere else")
        tokens = [token.encode() for token in self._deployment.server.codeartifact.minted]
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        leaks = [path for path in files if path.name != "codeartifact.txt" and _holds_any(path, tokens)]
        expect(not leaks, f"tokens stand in {', '.join(map(str, leaks))}")
        told = "\n".join(self._deployment.console.lines + self._lambda_log()).encode()
        expect(not any(token in told for token in tokens), "a token stands in the output or in the Lambda's log")
        self.show(f"{len(tokens)} tokens searched in {len(files)} files, the output and the Lambda's log")

    def destroy(self) -> None:
        self.title("Destroy: nothing is left")
        self._deployment.make("destroy", "YES=1")
        client = self._deployment.client
        left = {
            "stacks": client("cloudformation").describe_stacks()["Stacks"],
            "buckets": client("s3").list_buckets()["Buckets"],
            "domains": client("codeartifact").list_domains()["domains"],
            "environments": client("mwaa").list_environments()["Environments"],
            "functions": client("lambda").list_functions()["Functions"],
            "roles": client("iam").list_roles()["Roles"],
            "endpoints": client("ec2").describe_vpc_endpoints()["VpcEndpoints"],
        }
        expect(not any(left.values()), f"left behind: {left}")

    def _expect_refreshed_by(self, refresher: str) -> dict[str, str]:
        facts = self._deployment.index_url_facts()
        by = facts["refreshed-by"]
        self.show(f"refreshed-by: {by}, token-expires-at: {facts['token-expires-at']}")
        expect(by == refresher, f"the line was refreshed by {by}, not {refresher}")
        return facts

    def _run_dag(self, dag: str, **params: object) -> None:
        self._deployment.run_dag(dag, **params)
        self.show(f"DAG {dag}: success")

    def _deployed(self) -> dict[str, Any]:
        """Tell the state of every stack and the version of every object."""
        stacks = self._deployment.client("cloudformation")
        names = [stack["StackName"] for stack in stacks.describe_stacks()["Stacks"]]
        events = {name: len(stacks.describe_stack_events(StackName=name)["StackEvents"]) for name in names}
        versions = self._deployment.client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
        return events | {version["VersionId"]: version["Key"] for version in versions}

    def _delete_index_url(self) -> None:
        self._deployment.client("s3").delete_object(Bucket=BUCKET, Key=INDEX_URL_KEY)
        self.show(f"deleted s3://{BUCKET}/{INDEX_URL_KEY}")

    def _new_container(self, *, startup_script: bool = True) -> Container:
        environment = self._deployment.server.environments[ENVIRONMENT]
        container = environment.new_container(lambda line: self._deployment.console.say("container", line))
        if not startup_script:  # as most environments are today
            container.configuration = replace(container.configuration, startup_script=None)
        return container

    def _expect_numpy(self, container: Container, start: str) -> None:
        numpy = self.imported(container, "numpy")
        expect(numpy, "numpy is missing although pip succeeded")
        self.show(f"{start}: numpy from {numpy[0]}")

    def _lambda_log(self) -> list[str]:
        logs = self._deployment.client("logs")
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        return [event["message"] for group in groups for event in logs.filter_log_events(logGroupName=group)["events"]]


def _holds_any(path: Path, secrets: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # Airflow is still running, and the sync removes what is not in the bucket
        return False
    return any(secret in content for secret in secrets)


def _expiry(facts: dict[str, str]) -> datetime:
    return datetime.fromisoformat(facts["token-expires-at"])
