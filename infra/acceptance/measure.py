"""Measurements of facts that AWS does not document: CodeArtifact's answers, zones, statuses, the format of logs."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from infra import mwaa_facts
from infra.acceptance.steps import Steps, expect

if TYPE_CHECKING:
    from infra.acceptance.site import Site

_JSON = "application/vnd.pypi.simple.v1+json"
# A project that exists after numpy has been installed, and one that never exists.
_KNOWN, _UNKNOWN = "numpy", "mwaa-codeartifact-probe"
_WRONG = "wrong-on-purpose"


class Statuses:
    """Record the environment's status as it changes, while the context is entered.

    :param site: the site of the environment.
    :param every_seconds: time between two requests (default: 10).
    """

    def __init__(self, site: Site, every_seconds: float = 10) -> None:
        self.seen: list[tuple[str, str]] = []
        self._site, self._every_seconds = site, every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="statuses", daemon=True)

    def __enter__(self) -> Self:
        """Start recording."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop recording."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        mwaa = self._site.client("mwaa")
        while not self._over.wait(self._every_seconds):
            try:
                environment = mwaa.get_environment(Name=self._site.name)["Environment"]
            except (BotoCoreError, ClientError):  # not created yet, already deleted, or throttled
                continue
            status = f"{environment['Status']} (last update {(environment.get('LastUpdate') or {}).get('Status')})"
            if not self.seen or self.seen[-1][1] != status:
                self.seen.append((f"{datetime.now(UTC):%H:%M:%S}", status))


class Measurements(Steps):
    """The steps that measure; their results are only for the report."""

    def mint_short(self) -> None:
        """Mint the token that expires before the end of the proof."""
        self.title("Measure: a token that expires soon is minted")
        self._short, self._expires_at = self.site.short_token()
        self.show(f"a token is valid until {self._expires_at:%H:%M:%S} UTC")

    def zones(self) -> None:
        """Show the zones of the subnets and of each endpoint service."""
        self.title("Measure: zones")
        ec2 = self.site.client("ec2")
        subnet_ids = self.site.outputs("network")["PrivateSubnetIds"].split(",")
        for subnet in ec2.describe_subnets(SubnetIds=subnet_ids)["Subnets"]:
            self.show(f"{subnet['SubnetId']} is in {subnet['AvailabilityZone']} ({subnet.get('AvailabilityZoneId')})")
        region = self.site.settings["AWS_REGION"]
        wanted = [
            f"com.amazonaws.{region}.{name}"
            for name in (*mwaa_facts.MWAA_ENDPOINTS, *mwaa_facts.CODEARTIFACT_ENDPOINTS)
        ]
        for service in ec2.describe_vpc_endpoint_services(ServiceNames=wanted)["ServiceDetails"]:
            self.show(f"{service['ServiceName']}: {', '.join(service['AvailabilityZones'])}")

    def log_form(self) -> None:
        """Show some lines of the logs, and the lines that the startup script wrote before pip ran."""
        self.title("Measure: the format of the log lines, and whether dags/ existed before pip")
        for component in mwaa_facts.INSTALLING_COMPONENTS:
            startup = list(self.site.log_lines(component, mwaa_facts.STARTUP_STREAM))
            pip = self.site.log_lines(component, mwaa_facts.REQUIREMENTS_STREAM)
            for line in itertools.chain((line for line in startup if "startup: " in line), itertools.islice(pip, 2)):
                self.show(f"{component}: {line}")

    def worker(self, found: dict[str, Any]) -> None:
        """Show the probe task's findings on its worker, and measure the sync of dags/.

        :param found: the result of the probe DAG.
        """
        self.title("Measure: the worker's dags/ folder, and its sync")
        for name, value in found.items():
            self.show(f"{name}: {value}")
        marker = f"marker-{int(time.time())}.txt"
        self.site.client("s3").put_object(Bucket=self.site.bucket, Key=f"dags/{marker}", Body=b"marker")
        began = time.monotonic()
        self.site.wait_until(
            lambda: marker in self.site.probe()["files"],
            began + 180,
            f"dags/{marker} did not reach the worker in 3 min",
        )
        self.show(f"a new object of dags/ was on the worker after at most {time.monotonic() - began:.0f} s")

    def codeartifact(self) -> None:
        """Show CodeArtifact's answers to a good, an expired, a wrong and no token."""
        self.title("Measure: CodeArtifact's answers")
        names = self.site.outputs("repository")
        domain = {"domain": names["DomainName"], "domainOwner": names["DomainOwner"]}
        codeartifact = self.site.client("codeartifact")
        endpoint = codeartifact.get_repository_endpoint(**domain, repository=names["RepositoryName"], format="pypi")[
            "repositoryEndpoint"
        ]
        good = codeartifact.get_authorization_token(**domain)["authorizationToken"]
        simple = endpoint.rstrip("/") + "/simple/"
        rest = (self._expires_at - datetime.now(UTC)).total_seconds()
        if rest > 0:
            self.show(f"waiting {rest:.0f} s for the short token to expire")
        time.sleep(max(rest, 0) + 1)
        for kind, token in {"good": good, "expired": self._short, "wrong": _WRONG, "no": None}.items():
            for project in (_KNOWN, _UNKNOWN):
                answer = _request("GET", f"{simple}{project}/", token)
                more = answer.headers.get("WWW-Authenticate", answer.headers.get("Content-Type"))
                self.show(f"{kind} token, {project}: {answer.status} ({more})")
        self._index(simple, good)

    def _index(self, simple: str, token: str) -> None:
        page = _request("GET", f"{simple}{_KNOWN}/", token, Accept=_JSON)
        self.show(f"request for JSON (PEP 691): {page.status} {page.headers.get('Content-Type')}")
        if "json" not in page.headers.get("Content-Type", ""):
            return
        files = page.json()["files"]
        expect(files, f"the index has no file of {_KNOWN}")
        self.show(f"keys of a file: {', '.join(sorted(files[-1]))} (upload-time: PEP 700, core-metadata: PEP 658)")
        url = urljoin(f"{simple}{_KNOWN}/", files[-1]["url"])
        head = _request("HEAD", url, token)
        self.show(f"HEAD of a file: {head.status}, Accept-Ranges {head.headers.get('Accept-Ranges')}")
        part = _request("GET", url, token, Range="bytes=-64")
        self.show(f"Range of a file: {part.status}, {len(part.data)} bytes")


def _request(method: str, url: str, token: str | None, **headers: str) -> urllib3.BaseHTTPResponse:
    """Send one request, follow no redirect, and return the response."""
    basic = urllib3.make_headers(basic_auth=f"aws:{token}") if token else {}
    return urllib3.request(method, url, headers={**basic, **headers}, redirect=False, timeout=30, retries=False)
