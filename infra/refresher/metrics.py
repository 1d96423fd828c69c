"""CloudWatch metrics in the embedded metric format: log lines, which need no permission and no endpoint.

Source: CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
import sys
import time

NAMESPACE = "MwaaCodeArtifact"


def emit(environment_name: str, **metrics: tuple[float, str]) -> None:
    """Write one line of metrics to standard output.

    :param environment_name: value of the metrics' dimension.
    :param metrics: name to value and CloudWatch unit.
    """
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["EnvironmentName"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
        "EnvironmentName": environment_name,
        **{name: value for name, (value, _) in metrics.items()},
    }
    sys.stdout.write(json.dumps(line) + "\n")
