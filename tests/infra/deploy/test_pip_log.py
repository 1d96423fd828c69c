"""pip's result, read from real output of pip."""

from __future__ import annotations

import pytest

from infra.deploy.pip_log import judge, required_names
from tests.infra.deploy import pip_output as pip


@pytest.mark.parametrize(
    ("output", "required", "verdict", "installed"),
    [
        (pip.SUCCESS, {"humanize"}, "good", ("humanize-4.0.0",)),
        (pip.SATISFIED, {"humanize"}, "good", ()),
        (pip.FORCED_CONSTRAINTS + pip.SATISFIED, {"humanize"}, "good", ()),
        (pip.RESOLVER_COMPLAINS, {"urllib3"}, "good", ("urllib3-1.20",)),
        (pip.EXPIRED_TOKEN, {"numpy"}, "bad", ()),
        (pip.NO_SUCH_VERSION, {"humanize"}, "bad", ()),
        (pip.NO_FILE, {"numpy"}, "bad", ()),
        (pip.FAILED_BUILD, {"bw"}, "bad", ()),
        (pip.UNKNOWN_OPTION, {"numpy"}, "bad", ()),
        (pip.STOPPED, {"humanize", "numpy"}, "none", ()),
        (pip.SUCCESS.partition("Installing")[0], {"humanize"}, "none", ()),
        (pip.RESOLVER_COMPLAINS.partition("Successfully installed")[0], {"urllib3"}, "none", ()),
        ("", {"humanize"}, "none", ()),
        ("Looking in indexes: https://index\n", set(), "good", ()),
        ("", set(), "none", ()),
    ],
    ids=[
        "success",
        "already satisfied",
        "MWAA's own warnings",
        "the resolver warns",
        "expired token",
        "no such version",
        "no index-url file",
        "failed build",
        "unknown option",
        "stopped at a requirement",
        "stopped while it collects",
        "the end is not there yet",
        "no line",
        "nothing is required",
        "no line although nothing is required",
    ],
)
def test_the_verdict_follows_from_pips_own_output(
    output: str, required: set[str], verdict: str, installed: tuple[str, ...]
) -> None:
    outcome = judge(output.splitlines(), required)
    assert (outcome.verdict, outcome.installed) == (verdict, installed)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (pip.EXPIRED_TOKEN, "the containers started on an expired index-url token"),
        (pip.NO_FILE, "the index-url file was missing"),
        (pip.NO_SUCH_VERSION, "the repository has no such package or version"),
        (pip.CONFLICT, "exclude each other"),
        (pip.UNKNOWN_OPTION, "pip says: pip: error: no such option: --foo"),
    ],
    ids=["expired token", "no file", "unknown package", "conflict", "anything else"],
)
def test_the_cause_of_a_failure_is_described_correctly(output: str, cause: str) -> None:
    assert cause in judge(output.splitlines()).cause


def test_the_errors_are_pips_lines_without_the_harmless_one() -> None:
    lines = (pip.RESOLVER_COMPLAINS.partition("Successfully installed")[0] + pip.NO_SUCH_VERSION).splitlines()
    assert [line.split(":")[1] for line in judge(lines).errors] == [
        " Could not find a version that satisfies the requirement humanize==999.0 (from versions",
        " No matching distribution found for humanize==999.0",
    ]


def test_the_names_of_a_requirements_file_are_normalized_and_options_have_none() -> None:
    text = """
    # numpy
    --constraint ${AIRFLOW_CONSTRAINTS_FILE}
    -r ${AIRFLOW_HOME}/dags/codeartifact.txt
    Acme_Greeting[extra]>=1,<2 ; python_version > "3"  # why
    numpy==1.26.4 --hash=sha256:abc
    pandas==2.0 \\
    ./local.whl
    """
    assert required_names(text) == {"acme-greeting", "numpy", "pandas"}
