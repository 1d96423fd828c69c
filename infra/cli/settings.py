"""The settings: .env and the process environment, checked by the templates' own rules before any AWS call."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.env_file import read_env_file
from infra.cli.program import CommandError
from infra.cli.rules import broken_rules, in_settings_words
from infra.mwaa_facts import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.templates import Parameter, Template

# Parameters that the uploads fill, as an earlier stack's output would.
UPLOADED = frozenset(
    {
        "PluginsS3ObjectVersion",
        "RequirementsS3ObjectVersion",
        "StartupScriptS3ObjectVersion",
        "RefresherS3ObjectVersion",
        "RefresherS3Key",
    }
)
# Settings that only infra.preflight reads.
PREFLIGHT = ("PREFLIGHT_INDEX_URL", "PREFLIGHT_CONSTRAINTS")


class SettingsError(CommandError):
    """Wrong settings, one sentence each.

    :param problems: the sentences.
    """

    exit_status = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """Valid settings.

    :param region: the AWS Region.
    :param environment_name: the MWAA environment's name, also the prefix of the stacks' names.
    :param parameters: the template parameters that are set, by name.
    :param environ: the AWS CLI's environment.
    """

    region: str
    environment_name: str
    parameters: dict[str, str]
    environ: dict[str, str] = field(repr=False)  # may contain credentials

    def stack_name(self, stack: str) -> str:
        """Return a stack's name.

        :param stack: which one, such as `network`.
        """
        return f"{self.environment_name}-{stack}"


def load(
    env_file: Path, environ: Mapping[str, str], templates: Mapping[str, Template], *, to_deploy: bool = True
) -> Settings:
    """Read and check the settings; the process environment wins over the file.

    :param env_file: the .env file, which may be missing.
    :param environ: the process environment.
    :param templates: all templates in the order of their deployment.
    :param to_deploy: whether to check the values against each other, too (default: yes); the preflight does not.
    :raises EnvFileError: if the file cannot be read.
    :raises SettingsError: with every problem at once.
    """
    known = settable(templates)
    in_file = read_env_file(env_file)
    values = in_file | {name: value for name, value in environ.items() if value}
    given = {pascal(name): (name, value) for name, value in values.items() if pascal(name) in known}
    found = _Found(
        known,
        values,
        {name: value for name, (_, value) in given.items()},
        frozenset(name for name, value in environ.items() if value),
    )

    others = [name for name in in_file if not name.startswith("AWS_") and name not in PREFLIGHT]
    problems = [_unknown(name, known) for name in others if pascal(name) not in known]
    missing = found.missing()
    problems += [*missing, *found.wrong_values(), *(found.wrong_together(templates) if to_deploy else ())]
    if problems:
        no_file = "There is no .env: copy .env.example to .env and fill it in."
        raise SettingsError([no_file, *problems] if missing and not env_file.exists() else problems)

    aws = {name: value for name, value in values.items() if name.startswith("AWS_")}
    parameters = found.parameters
    return Settings(values["AWS_REGION"], parameters["EnvironmentName"], parameters, {**environ, **aws})


@dataclass(frozen=True)
class _Found:
    """The values that are set, before they are checked.

    :param known: the parameters that settings fill, by name.
    :param values: values by setting name.
    :param parameters: values by parameter name.
    :param in_shell: names that the process environment sets.
    """

    known: Mapping[str, Parameter]
    values: Mapping[str, str] = field(repr=False)
    parameters: dict[str, str]
    in_shell: frozenset[str]

    def missing(self) -> list[str]:
        """Return a sentence for each setting that is required and not set."""
        region = {"AWS_REGION": "the AWS Region to deploy to, such as eu-central-1"}
        required = {
            parameter.setting: _purpose(parameter)
            for name, parameter in self.known.items()
            if parameter.default is None and name not in self.parameters
        }
        return [
            f"{name} is not set: add it to .env ({purpose})."
            for name, purpose in (region | required).items()
            if name not in self.values
        ]

    def wrong_values(self) -> list[str]:
        """Return a sentence for each value that breaks a rule on its own."""
        set_here = [(self.known[name], value) for name, value in self.parameters.items()]
        rules = {parameter.setting: parameter.broken_rule(value) for parameter, value in set_here}
        region = self.values.get("AWS_REGION")
        if region and region not in REGIONS:
            rules["AWS_REGION"] = f"must be a Region that has MWAA and CodeArtifact: {', '.join(sorted(REGIONS))}"
        for zone in ("AvailabilityZone1", "AvailabilityZone2"):
            if region and not self.parameters.get(zone, region).startswith(region):
                rules[self.known[zone].setting] = f"must be a zone of AWS_REGION {region}"
        return [
            f'{name} is "{self.values[name]}" but {rule}: change it in {self._where(name)}.'
            for name, rule in rules.items()
            if rule
        ]

    def wrong_together(self, templates: Mapping[str, Template]) -> list[str]:
        """Return a sentence for each pair of incompatible values: by the templates' Rules, and by arithmetic.

        :param templates: all templates.
        """
        good = {name: value for name, value in self._effective().items() if not self.known[name].broken_rule(value)}
        settings = {name: parameter.setting for name, parameter in self.known.items()}
        broken = [
            (rule.parameters, in_settings_words(rule.description, settings))
            for template in templates.values()
            for rule in broken_rules(template.rules, good)
        ]
        # Rules cannot compare numbers.
        if float(good.get("MinWorkers", 0)) > float(good.get("MaxWorkers", "inf")):
            broken.append((("MinWorkers", "MaxWorkers"), "the minimum must not be greater than the maximum"))
        return [f"{self._in_words(names, good)}: {why}. Change it in .env." for names, why in broken]

    def _effective(self) -> dict[str, str]:
        defaults = {name: each.default for name, each in self.known.items() if each.default is not None}
        return {**defaults, **self.parameters}

    def _in_words(self, names: tuple[str, ...], values: Mapping[str, str]) -> str:
        return " and ".join(
            f'{self.known[name].setting} is "{values[name]}"' + ("" if name in self.parameters else " (its default)")
            for name in names
        )

    def _where(self, name: str) -> str:
        return "the environment, which wins over .env" if name in self.in_shell else ".env"


def settable(templates: Mapping[str, Template]) -> dict[str, Parameter]:
    """Return the parameters that settings fill: those that neither an earlier stack nor an upload fills.

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
    """Return the name of the parameter that a setting fills: BucketName for BUCKET_NAME.

    :param name: the setting's name.
    :returns: empty if the name is not all in capitals.
    """
    return "".join(word.capitalize() for word in name.split("_")) if name.isupper() else ""


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    names = ["AWS_REGION", *PREFLIGHT, *(parameter.setting for parameter in known.values())]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"write {near[0]} if that is meant" if near else "remove it, or see .env.example for the settings there are"
    return f"{name} in .env is not a setting of this project: {hint}."


def _purpose(parameter: Parameter) -> str:
    purpose: str = parameter.rules.get("Description", parameter.name)
    return purpose.strip().rstrip(".")
