"""The proof of the main function: each step continues from the one before it, and uses AWS's own APIs only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from infra import mwaa_facts
from infra.acceptance.steps import Steps, expect
from infra.deploy.upload import INDEX_URL_KEY

REFRESH_DAG = "refresh_codeartifact_index_url"


class Proof(Steps):
    """The steps that work on real AWS and on the local one."""

    def deploy(self) -> None:
        """Deploy the stacks; `make deploy` waits for the environment and reports pip's result."""
        self.title("Deploy the stacks with the real AWS CLI")
        with self.site.probe_uploaded_early():
            self.site.make("deploy")
        expect(any("installed" in line for line in self.site.lines), "`make deploy` did not report pip's result")

    def bootstrap(self) -> None:
        """Check that the Lambda wrote the first line."""
        self.title("Bootstrap: the Lambda has written the first line")
        self._facts = self.expect_refreshed_by("lambda")

    def start(self) -> None:
        """Check in the containers' logs that pip used the index-url, in each component."""
        self.title("Start: pip installs through the index-url in every component")
        for component in self.components():
            lines = list(self.site.log_lines(component, mwaa_facts.REQUIREMENTS_STREAM))
            expect(lines, f"{component} has no log of pip")
            expect(all(map(mwaa_facts.LOG_PREFIX.match, lines)), f"{component} has log lines in another format")
            expect(
                any("Looking in indexes: http" in line and "aws:****@" in line for line in lines), "no index-url used"
            )
            expect(any("Successfully installed numpy" in line for line in lines), f"{component} has no numpy")
            self.show(f"{component}: pip installed numpy through the index-url")

    def components(self) -> tuple[str, ...]:
        """Return the components whose containers can install by index-url."""
        private = self.site.environment()["WebserverAccessMode"] == "PRIVATE_ONLY"
        return mwaa_facts.INSTALLING_COMPONENTS[: 2 if private else 3]

    def refresh_by_dag(self) -> None:
        """Run the refresh DAG and check that its line expires later."""
        self.title("Refresh: the DAG publishes a line that expires later")
        self.run_dag(REFRESH_DAG, min_remaining_hours=12)
        facts = self.expect_refreshed_by("dag")
        expect(expiry(facts) > expiry(self._facts), "the DAG's line does not expire later than the Lambda's")

    def use_the_package(self) -> None:
        """Run the example DAG, and import numpy in a task of the probe DAG."""
        self.title("Use: a task imports numpy from where pip put it")
        self.run_dag("example_codeartifact")
        self.worker: dict[str, Any] = self.site.probe(modules=["numpy"])
        path = self.worker["imported"]["numpy"]
        self.show(f"numpy from {path}")
        expect(self.site.packages in path, "numpy does not come from the container's own packages")

    def deploy_again(self) -> None:
        """Deploy once more and check that nothing changes."""
        self.title("Deploy again: nothing changes")
        before = self.deployed()
        self.site.make("deploy")
        expect(self.deployed() == before, "a second deploy changed a stack or an object")

    def lose_the_file(self) -> None:
        """Delete the index-url file twice: the DAG writes it again, then the Lambda."""
        self.title("Lose the index-url file: the DAG writes it again, and so does the Lambda")
        self.delete_index_url()
        self.run_dag(REFRESH_DAG)
        self.expect_refreshed_by("dag")
        # The DAG stays paused from here: its hourly run must not come before the Lambda.
        self.site.pause(REFRESH_DAG, is_paused=True)
        self.delete_index_url()
        self.site.make("refresh")
        self.expect_refreshed_by("lambda")

    def destroy(self) -> None:
        """Destroy everything and check that nothing of this deployment remains."""
        self.title("Destroy: nothing is left")
        names = self.site.outputs("repository")
        self.site.make("destroy", "YES=1")
        client, name = self.site.client, self.site.name
        log_groups = client("logs").describe_log_groups(logGroupNamePrefix=f"airflow-{name}-")["logGroups"]
        stacks = client("cloudformation").list_stacks()["StackSummaries"]
        left = {
            "stacks": [
                stack["StackName"]
                for stack in stacks
                if stack["StackName"].startswith(f"{name}-") and stack["StackStatus"] != "DELETE_COMPLETE"
            ],
            "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"] if b["Name"] == self.site.bucket],
            "domains": [
                domain["name"]
                for domain in client("codeartifact").list_domains()["domains"]
                if domain["name"] == names["DomainName"]
            ],
            "environments": [each for each in client("mwaa").list_environments()["Environments"] if each == name],
            "log groups": [group["logGroupName"] for group in log_groups],
        }
        expect(not any(left.values()), f"left behind: {left}")

    def expect_refreshed_by(self, refresher: str) -> dict[str, str]:
        """Check that a refresher wrote the line in S3, and return the line's facts.

        :param refresher: ``dag``, ``lambda`` or ``startup``.
        """
        facts = self.site.index_url_facts()
        by = facts["refreshed-by"]
        self.show(f"refreshed-by: {by}, token-expires-at: {facts['token-expires-at']}")
        expect(by == refresher, f"the line was refreshed by {by}, not {refresher}")
        return facts

    def run_dag(self, dag: str, **params: object) -> None:
        """Run a DAG and wait for its success.

        :param dag: the DAG's id.
        :param params: parameters of the run.
        """
        self.site.run_dag(dag, **params)
        self.show(f"DAG {dag}: success")

    def deployed(self) -> dict[str, Any]:
        """Return the state of every stack and the version of every object."""
        stacks = self.site.client("cloudformation")
        names = [f"{self.site.name}-{stack}" for stack in ("network", "repository", "refresher", "mwaa")]
        events = {name: len(stacks.describe_stack_events(StackName=name)["StackEvents"]) for name in names}
        versions = self.site.client("s3").list_object_versions(Bucket=self.site.bucket)["Versions"]
        return events | {version["VersionId"]: version["Key"] for version in versions}

    def delete_index_url(self) -> None:
        """Delete the index-url file."""
        self.site.client("s3").delete_object(Bucket=self.site.bucket, Key=INDEX_URL_KEY)
        self.show(f"deleted s3://{self.site.bucket}/{INDEX_URL_KEY}")


def expiry(facts: dict[str, str]) -> datetime:
    """Return when the token of a line expires.

    :param facts: the line's metadata.
    """
    return datetime.fromisoformat(facts["token-expires-at"])
