"""The preflight: resolve requirements.txt as MWAA's containers will, before an update of half an hour.

report = check(Path("requirements/requirements.txt"), read_settings(ROOT / ".env", os.environ))
report.problems  # empty: pip will install it
"""

from infra.preflight.checks import check
from infra.preflight.problems import CannotCheckError, Problem
from infra.preflight.report import Report
from infra.preflight.settings import PreflightSettings, Repository, read_settings

__all__ = ["CannotCheckError", "PreflightSettings", "Problem", "Report", "Repository", "check", "read_settings"]
