"""Run the stacks on this machine: ``python -m infra.local`` stays until Ctrl-C; ``demo`` and ``releases`` end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

from infra import ROOT
from infra.cli.console import Console
from infra.cli.pip_settings import PipSettingsError
from infra.local.demo import demo
from infra.local.deployment import Deployment
from infra.local.releases import releases
from infra.local.server import Server
from infra.local.steps import DemoError


def main(verb: str) -> int:
    """Run one verb, ``stay``, ``demo`` or ``releases``.

    :returns: exit status: 0 done, 1 something failed, 2 a setting is wrong.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell lets what it starts with & ignore it
        signal.signal(number, signal.default_int_handler)
    try:
        airflow_port = _port("AIRFLOW_PORT", "8080" if verb == "stay" else "0")
        aws_port = _port("LOCAL_AWS_PORT", "0")
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201  (a command line program's output)
        return 2
    (ROOT / ".local").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=ROOT / ".local"))
    with Console() as console:
        try:
            with Server(folder / "aws", aws_port, airflow_port, console.say) as server:
                deployment = Deployment(server, console, ROOT)
                {"demo": demo, "releases": releases, "stay": stay}[verb](deployment, folder)
        except (DemoError, PipSettingsError, RuntimeError) as error:
            console.say("failed", f"{error} (logs: {folder})")
            return 1
        except KeyboardInterrupt:
            console.say("local", "stopped")
    shutil.rmtree(folder)
    return 0


def stay(deployment: Deployment, _: Path) -> None:
    """Deploy, tell how to look around, and stay until Ctrl-C."""
    deployment.deploy()
    airflow = deployment.wait_until_available()
    say = deployment.console.say
    settings = deployment.write_settings(ROOT / ".local" / "aws.env")
    say("local", f"Airflow is at {airflow.url}, user {airflow.user}, password {airflow.password}")
    say("local", "Watch the DAG refresh_codeartifact_index_url; trigger example_codeartifact to see numpy at work")
    say("local", f"In another shell: `. {settings}`, then `make status`, `make refresh`, `make deploy` or `aws …`")
    say("local", "Ctrl-C stops everything")
    deployment.console.quiet()
    signal.pause()


def _port(setting: str, default: str) -> int:
    """Read a port from the environment and see that it is free; 0 gives a free one.

    :raises ValueError: with one sentence on how to mend it.
    """
    value = os.environ.get(setting, default)
    if not value.isdecimal() or int(value) > 65535:  # noqa: PLR2004  (the highest port)
        raise ValueError(f"{setting} is {value!r}: give a port number, or 0 for a free one")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(value)))
        except OSError as error:
            raise ValueError(f"{setting} {value} is in use: set {setting} to a free port, or 0") from error
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["stay"]))
