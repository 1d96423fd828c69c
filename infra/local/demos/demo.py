"""The proof of the main job on this machine, with the steps that only a local AWS can be brought into."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.acceptance.proof import Proof, expiry
from infra.acceptance.steps import expect
from infra.deploy.upload import INDEX_URL_KEY
from infra.local.demos.deployment import SHORT_LIFE, Deployment
from infra.local.demos.privileges import judge

if TYPE_CHECKING:
    from pathlib import Path


def demo(deployment: Deployment, folder: Path) -> None:
    """Take every step.

    :param deployment: nothing deployed yet.
    :param folder: where everything that the demo writes is, for the search for leaked tokens.
    :raises ProofError: saying what failed.
    """
    proof = LocalProof(deployment, "demo")
    proof.deploy()
    proof.bootstrap()
    proof.start()
    proof.refresh_by_dag()
    proof.use_the_package()
    proof.deploy_again()
    proof.lose_the_file()
    proof.start_on_an_expired_line()
    proof.ring_the_alarm()
    proof.start_with_the_startup_script()
    proof.use_no_more_than_needed("refresher", "mwaa")
    proof.find_no_leak(folder)
    proof.destroy()
    proof.show("All of it holds.")


class LocalProof(Proof):
    """Add the steps that look behind AWS, or change how it behaves."""

    site: Deployment

    def start_on_an_expired_line(self) -> None:
        """Start a container without startup script on a dead line, then on a fresh one."""
        self.title("Expire: without a startup script, a dead token means no packages, until somebody refreshes")
        # Both refreshers are off: the DAG is paused, and the Lambda's next tick is half an hour away.
        codeartifact = self.site.server.codeartifact
        codeartifact.token_life_limit = SHORT_LIFE
        self.delete_index_url()
        self.site.make("refresh")
        codeartifact.token_life_limit = None
        remaining = (expiry(self.expect_refreshed_by("lambda")) - datetime.now(UTC)).total_seconds()
        self.show(f"waiting {remaining:.0f} s for the token to expire")
        time.sleep(max(remaining, 0) + 1)
        self._dead = self.site.client("s3").head_object(Bucket=self.site.bucket, Key=INDEX_URL_KEY)["VersionId"]
        container = self.site.new_container(startup_script=False)
        expect(not container.start(), "pip succeeded on an expired token")
        expect(self.site.told("401 Error, Credentials not correct"), "pip did not report the 401")
        expect(not self.site.imported(container, "numpy"), "numpy is there although pip failed")
        self.show("the container started without its packages: import numpy fails")
        self.site.make("refresh")
        container = self.site.new_container(startup_script=False)
        expect(container.start(), "pip failed on a fresh token")
        numpy = self.site.imported(container, "numpy")
        expect(numpy, "numpy is missing although pip succeeded")
        self.show(f"the same start, refreshed: numpy from {numpy[0]}")

    def ring_the_alarm(self) -> None:
        """Check that pip's failure has raised the alarm, and that the alarm has told its topic."""
        self.title("Alarm: pip's failure in the log has become a message on the topic")
        errors = self.site.sum_of_metric(f"{self.site.name}-RequirementsInstallErrors")
        self.show(f"the metric RequirementsInstallErrors counts {errors:.0f} lines of pip's log")
        expect(errors, "the alarm's metric does not count what pip says")
        self.site.server.alarms.evaluate(datetime.now(UTC))  # CloudWatch does so once a minute
        name = f"{self.site.name}-requirements-install"
        (alarm,) = self.site.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        self.show(f"{name} is {alarm['StateValue']}: {alarm['StateReason']}")
        expect(alarm["StateValue"] == "ALARM", f"{name} does not ring")
        told = [message for message in self.site.alarm_messages() if name in message]
        expect(told, "no message has reached the topic")
        self.show(f"the topic was told: {told[-1][:120]}")

    def start_with_the_startup_script(self) -> None:
        """Start a container with its startup script on the same dead line."""
        self.title("Defend: with its startup script, a container that finds the same dead token repairs it by itself")
        line = {"Bucket": self.site.bucket, "Key": INDEX_URL_KEY}
        self.site.client("s3").copy_object(**line, CopySource={**line, "VersionId": self._dead})
        self.show("the dead line is back, as if no refresher had run")
        container = self.site.new_container()
        expect(container.start(), "pip failed although the startup script ran")
        self.expect_refreshed_by("startup")
        numpy = self.site.imported(container, "numpy")
        expect(numpy, "numpy is missing although pip succeeded")
        self.show(f"the same start, with the startup script: numpy from {numpy[0]}")

    def use_no_more_than_needed(self, *stacks: str) -> None:
        """Check that the roles of these stacks were refused nothing, and are granted nothing that nobody needs.

        :param stacks: such as ``refresher``.
        """
        self.title("Privileges: the roles were refused nothing, and are granted nothing that nobody needs")
        for stack in stacks:
            for told, problems in judge(self.site.roles(stack), self.site.server.iam.calls):
                self.show(told)
                expect(not problems, "; ".join(problems))

    def find_no_leak(self, folder: Path) -> None:
        """Search for every minted token in all files, the output and the logs.

        :param folder: where everything that the demo writes is.
        """
        self.title("Search: the tokens are in codeartifact.txt and nowhere else")
        tokens = [token.encode() for token in self.site.server.codeartifact.minted]
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        leaks = [path for path in files if path.name != "codeartifact.txt" and _holds_any(path, tokens)]
        expect(not leaks, f"tokens are in {', '.join(map(str, leaks))}")
        told = "\n".join(self.site.console.lines + self._logs()).encode()
        expect(not any(token in told for token in tokens), "a token is in the output or in a log")
        self.show(f"{len(tokens)} tokens searched in {len(files)} files, the output and all log groups")

    def _logs(self) -> list[str]:
        logs = self.site.client("logs")
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        return [event["message"] for group in groups for event in logs.filter_log_events(logGroupName=group)["events"]]


def _holds_any(path: Path, secrets: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # Airflow is still running, and the sync removes what is not in the bucket
        return False
    return any(secret in content for secret in secrets)
