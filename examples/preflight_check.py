"""Check a requirements file from Python: `PYTHONPATH=plugins:. .venv/bin/python examples/preflight_check.py FILE`."""

import os
import sys
from pathlib import Path

from infra.preflight import check, read_settings

report = check(Path(sys.argv[1]), read_settings(Path(".env"), os.environ))
for problem in report.problems:
    print(problem)
sys.exit(bool(report.problems))
