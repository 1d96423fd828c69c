"""The settings: .env and the process environment, judged by the templates' own rules before any AWS call."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from infra.cli.program import DeployerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.templates import Parameter, Template

# What the uploads give, just as an output of an earlier stack does.
UPLOADED = frozenset(
    {
        "PluginsS3ObjectVersion",
        "RequirementsS3ObjectVersion",
        "StartupScriptS3ObjectVersion",
        "RefresherS3ObjectVersion",
        "RefresherS3Key",
    }
)
# What only infra.preflight reads.
PREFLIGHT = ("PREFLIGHT_INDEX_URL", "PREFLIGHT_CONSTRAINTS")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")


class SettingsError(DeployerError):
    """Carry one sentence for each wrong setting.

    :param problems: the sentences.
    """

    exit_status = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """Hold valid settings.

    :param region: the AWS Region.
    :param environment_name: the MWAA environment's name, also the prefix of the stacks' names.
    :param parameters: template parameters by name, as far as they are set.
    :param environ: the environment that the AWS CLI runs in.
    """

    region: str
    environment_name: str
    parameters: dict[str, str]
    environ: dict[str, str] = field(repr=False)  # may hold credentials

    def stack_name(self, stack: str) -> str:
        """Name a stack.

        :param stack: which one, such as `network`.
        """
        return f"{self.environment_name}-{stack}"


def load(env_file: Path, environ: Mapping[str, str], templates: Mapping[str, Template]) -> Settings:
    """Read and judge the settings; the process environment wins over the file.

    :param env_file: the .env file, which may be missing.
    :param environ: the process environment.
    :param templates: all templates in the order of their deployment.
    :raises SettingsError: with every problem at once.
    """
    known = settable(templates)
    in_file = {name: value for name, value in dotenv_values(env_file).items() if value}
    values = in_file | {name: value for name, value in environ.items() if value}
    given = {pascal(name): (name, value) for name, value in values.items() if pascal(name) in known}

    others = [name for name in in_file if not name.startswith("AWS_") and name not in PREFLIGHT]
    problems = [_unknown(name, known) for name in others if pascal(name) not in known]
    problems += _region_problems(values.get("AWS_REGION"))
    for parameter in known.values():
        name, value = given.get(parameter.name, (parameter.setting, parameter.default))
        rule = parameter.broken_rule(value) if value is not None and parameter.name in given else None
        if value is None:
            problems.append(f"{name} is not set: add it to .env ({_purpose(parameter)}).")
        elif rule:
            where = "the environment, which wins over .env" if environ.get(name) else ".env"
            problems.append(f'{name} is "{value}" but {rule}: change it in {where}.')
    if problems:
        no_file = "" if env_file.exists() else "There is no .env: copy .env.example to .env and fill it in."
        raise SettingsError([no_file, *problems] if no_file else problems)

    aws = {name: value for name, value in values.items() if name.startswith("AWS_")}
    parameters = {name: value for name, (_, value) in given.items()}
    return Settings(values["AWS_REGION"], parameters["EnvironmentName"], parameters, {**environ, **aws})


def settable(templates: Mapping[str, Template]) -> dict[str, Parameter]:
    """List the parameters that a setting fills: those that no earlier stack and no upload gives.

    :param templates: all templates in the order of their deployment.
    """
    found: dict[str, Parameter] = {}
    given = set(UPLOADED)
    for template in templates.values():
        for name, parameter in template.parameters.items():
            if name not in given:
                found.setdefault(name, parameter)
        given |= template.outputs
    return found


def pascal(name: str) -> str:
    """Turn a setting's name into the parameter's: BUCKET_NAME is BucketName.

    :param name: the setting's name; other than capitals, digits and underscores it is none.
    """
    return "".join(word.capitalize() for word in name.split("_")) if name.isupper() else ""


def _region_problems(region: str | None) -> list[str]:
    if region is None:
        return ["AWS_REGION is not set: add it to .env (the AWS Region to deploy to, such as eu-central-1)."]
    if _REGION.fullmatch(region):
        return []
    return [f'AWS_REGION is "{region}" but must be the code of an AWS Region, such as eu-central-1: change it in .env.']


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    names = ["AWS_REGION", *PREFLIGHT, *(parameter.setting for parameter in known.values())]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"write {near[0]} if that is meant" if near else "remove it, or see .env.example for the settings there are"
    return f"{name} in .env is not a setting of this project: {hint}."


def _purpose(parameter: Parameter) -> str:
    purpose: str = parameter.rules.get("Description", parameter.name)
    return purpose.strip().rstrip(".")
