"""The proofs on this machine, of the main job and of releases, with steps that only a local AWS makes possible."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.sns.models import sns_backends

from infra import ROOT
from infra.acceptance.proof import Proof, expiry
from infra.acceptance.steps import expect
from infra.deploy.upload import INDEX_URL_KEY
from infra.local.demos.privileges import judge

if TYPE_CHECKING:
    from infra.local.demos.deployment import Deployment
    from infra.local.mwaa.container import Container

# Neither is in MWAA's images.
_ADDED, _MODULES = "boltons\nacme-greeting", ("acme_greeting", "boltons")


def demo(deployment: Deployment, folder: Path) -> None:
    """Prove the main job, or raise ProofError; the folder contains all files of the run and is searched for tokens."""
    proof = _LocalProof(deployment, "demo")
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


def releases(deployment: Deployment, folder: Path) -> None:
    """Prove releases, or raise ProofError; requirements.txt is written into the folder."""
    deployment.settings["REQUIREMENTS"] = str(folder / "my-requirements.txt")
    steps = _Releases(deployment, "releases")
    steps.require("")
    steps.deploy()
    steps.publish()
    steps.add_packages()
    steps.change_nothing()
    steps.break_the_file()
    steps.force_it_through()
    steps.go_back()
    steps.use_no_more_than_needed("repository")
    deployment.make("destroy", "YES=1")
    steps.show("All of it holds.")


class _LocalProof(Proof):
    """The steps that read the local AWS's state, or change its behaviour; their titles say what they do."""

    site: Deployment

    def start_on_an_expired_line(self) -> None:
        self.title("Expire: without a startup script, an expired token means no packages, until the next refresh")
        # No refresher runs: the DAG is paused, and the Lambda's next run is half an hour away.
        self.delete_index_url()
        with self.site.short_lives():
            self.site.make("refresh")
        remaining = (expiry(self.expect_refreshed_by("lambda")) - datetime.now(UTC)).total_seconds()
        self.show(f"waiting {remaining:.0f} s for the token to expire")
        time.sleep(max(remaining, 0) + 1)
        self._expired = self.site.client("s3").head_object(Bucket=self.site.bucket, Key=INDEX_URL_KEY)["VersionId"]
        container = self.site.new_container(startup_script=False)
        expect(not container.start(), "pip succeeded on an expired token")
        expect(self.site.printed("401 Error, Credentials not correct"), "pip did not report the 401")
        expect(not self.site.imported(container, "numpy"), "numpy is there although pip failed")
        self.show("the container started without its packages: import numpy fails")
        self.site.make("refresh")
        self._start(self.site.new_container(startup_script=False), "refreshed")

    def _start(self, container: Container, how: str) -> None:
        expect(container.start(), f"pip failed in the same start, {how}")
        numpy = self.site.imported(container, "numpy")
        expect(numpy, "numpy is missing although pip succeeded")
        self.show(f"the same start, {how}: numpy from {numpy[0]}")

    def ring_the_alarm(self) -> None:
        self.title("Alarm: pip's failure in the log has led to a message to the topic")
        self.site.server.alarms.evaluate(datetime.now(UTC))  # CloudWatch does so once a minute
        name = f"{self.site.name}-requirements-install"
        (alarm,) = self.site.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        self.show(f"{name} is {alarm['StateValue']}: {alarm['StateReason']}")
        expect(alarm["StateValue"] == "ALARM", f"{name} is not in alarm")
        arn = self.site.outputs("refresher")["AlarmTopicArn"]
        _, _, _, region, account, _ = arn.split(":")
        topic = sns_backends[account][region].get_topic(arn)
        messages = [message for _, message, *_ in topic.sent_notifications if name in message]
        expect(messages, "no message has reached the topic")
        self.show(f"the topic has the message: {messages[-1][:120]}")

    def start_with_the_startup_script(self) -> None:
        self.title("Defend: with its startup script, a container replaces the same expired token by itself")
        line = {"Bucket": self.site.bucket, "Key": INDEX_URL_KEY}
        self.site.client("s3").copy_object(**line, CopySource={**line, "VersionId": self._expired})
        self.show("the expired line is back, as if no refresher had run")
        self._start(self.site.new_container(), "with the startup script")
        self.expect_refreshed_by("startup")

    def use_no_more_than_needed(self, *stacks: str) -> None:
        self.title("Privileges: no role lacks a grant, and none has a grant that it does not use")
        for stack in stacks:
            for verdict, problems in judge(self.site.roles(stack), self.site.server.iam.calls):
                self.show(verdict)
                expect(not problems, "; ".join(problems))

    def find_no_leak(self, folder: Path) -> None:
        self.title("Search: the tokens are in codeartifact.txt and nowhere else")
        tokens = list(self.site.server.codeartifact.minted)
        # -s: Airflow is still running, so files may disappear meanwhile.
        command = ["grep", "-rlsF", "-f", "-", str(folder)]
        ended = subprocess.run(command, input="\n".join(tokens), capture_output=True, text=True, check=False)
        found = ended.stdout.splitlines()
        leaks = [path for path in found if Path(path).name != "codeartifact.txt"]
        expect(found and not leaks, f"tokens are in {', '.join(leaks) or 'no file, so the search proves nothing'}")
        logs, text = self.site.client("logs"), "\n".join(self.site.console.lines)
        for group in logs.describe_log_groups()["logGroups"]:
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                text += event["message"] + "\n"
        expect(not any(token in text for token in tokens), "a token is in the output or in a log")
        self.show(f"searched all files, the output and all log groups for {len(tokens)} tokens")


class _Releases(_LocalProof):
    def require(self, lines: str) -> None:
        shipped = (ROOT / "requirements" / "requirements.txt").read_text(encoding="utf-8")
        Path(self.site.settings["REQUIREMENTS"]).write_text(f"{shipped}{lines}\n", encoding="utf-8")

    def publish(self) -> None:
        self.title("Publish: an in-house package is uploaded to the repository, once")
        for verdict in ("published", "nothing to do:"):
            self.site.make("publish", f"DIST={ROOT / 'examples' / 'acme-greeting'}")
            expect(self.site.printed(f"{verdict} acme-greeting 1.0.0"), f"the verdict is not: {verdict}")

    def add_packages(self) -> None:
        self.title("Add: packages are checked and uploaded, one update installs them, and a task imports them")
        expect(not self._importable(), "the packages are there before they were required")
        self.require(_ADDED)
        self.site.make("release")
        expect(self.site.printed("acme-greeting-1.0.0, boltons-"), "the verdict does not name the packages")
        for path in self.site.probe(modules=list(_MODULES))["imported"].values():
            self.show(f"imported {path}")
            expect(self.site.packages in path, f"{path} is not among the container's own packages")

    def change_nothing(self) -> None:
        self.title("Repeat: without a change, nothing is uploaded or updated")
        before = self._released()
        self.site.make("release")
        expect(self._released() == before, "a release without a change has changed something")

    def break_the_file(self) -> None:
        self.title("Break: the preflight stops the release, nothing is uploaded")
        before = self._released()
        self.require("boltons==999.0")
        expect(self._fails("release"), "the preflight accepted a broken file")
        expect(self.site.printed("Nothing was uploaded"), "the preflight does not say that nothing was uploaded")
        expect(self._released() == before, "a stopped release has changed something")

    def force_it_through(self) -> None:
        self.title("Force: pip fails in the containers, and the verdict says so, twice")
        for _ in range(2):
            expect(self._fails("release-requirements", "FORCE=1"), "a failed installation is reported as a success")
            expect(not self._importable(), "the packages are there although pip failed")
        expect(self.site.printed("pip failed"), "the verdict does not name the failed installation")

    def go_back(self) -> None:
        self.title("Roll back: the last release that worked is restored, the two failed ones are skipped")
        self.site.make("rollback")
        expect(self._importable(), "the packages are missing after the rollback")

    def _fails(self, target: str, *arguments: str) -> bool:
        with suppress(RuntimeError):
            self.site.make(target, *arguments)
            return False
        return True

    def _importable(self) -> bool:
        # Where tasks run.
        return bool(self.site.imported(self.site.server.environments[self.site.name].container, *_MODULES))

    def _released(self) -> dict[str, Any]:
        """Return the state of the stacks and the bucket, without DAGs, the index-url file and the release history."""
        excluded = ("dags/", "releases.json")
        return {name: state for name, state in self.deployed().items() if not str(state).startswith(excluded)}
