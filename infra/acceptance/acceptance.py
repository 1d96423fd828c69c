"""The order of the acceptance: prove, measure, release, roll back, destroy in any case, report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from infra.acceptance.measure import Measurements, Statuses
from infra.acceptance.proof import Proof
from infra.acceptance.report import Report
from infra.acceptance.steps import ProofError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.acceptance.site import Site


def prove(site: Site, folder: Path, endpoint: str) -> int:
    """Run every step, destroy the deployment, write the report, and return the exit status.

    :param site: the site, not deployed yet.
    :param folder: folder of the report.
    :param endpoint: ``AWS``, or the address of a local endpoint, for the report.
    """
    report = Report(site.name, site.settings["AWS_REGION"], endpoint)
    proof, measurements = Proof(site, "proof"), Measurements(site, "measure")
    try:
        with Statuses(site) as statuses:
            report.statuses = statuses.seen
            _run_steps(site, report, proof, measurements)
        report.outcome = "all of it holds"
    except (ProofError, RuntimeError, OSError) as error:
        report.outcome = f"failed: {error}"
        site.say("proof", report.outcome)
        # Resources that remain cost money; the command itself prints those that it cannot destroy.
        with contextlib.suppress(RuntimeError):
            site.make("destroy", "YES=1")
    report.steps = [*proof.taken, *measurements.taken]
    site.say("proof", f"report: {report.write(folder)}")
    return 0 if report.outcome == "all of it holds" else 1


def _run_steps(site: Site, report: Report, proof: Proof, measurements: Measurements) -> None:
    proof.deploy()
    measurements.mint_short()
    report.airflow_version = site.environment()["AirflowVersion"]
    proof.bootstrap()
    proof.start()
    measurements.zones()
    measurements.log_form()
    proof.refresh_by_dag()
    proof.use_the_package()
    measurements.worker(proof.worker)
    proof.lose_the_file()
    proof.deploy_again()
    measurements.codeartifact()
    proof.destroy()
