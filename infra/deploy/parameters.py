"""Fill a template's parameters: from the earlier stacks and the uploads, else the settings, else the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.deploy.stacks import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.templates import Template


def fill(template: Template, earlier: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Give a value for every parameter of a template.

    Defaults are given too: CloudFormation would keep the previous value of a setting that was taken out of .env.

    :param template: whose parameters.
    :param earlier: the earlier stacks' outputs and what the uploads gave.
    :param settings: what is set, by parameter name.
    :raises StackError: if a required parameter has no value.
    """
    defaults = {name: each.default for name, each in template.parameters.items() if each.default is not None}
    values = {**defaults, **settings, **earlier}
    missing = [name for name in template.parameters if name not in values]
    if missing:
        raise StackError(
            f"{template.path.stem}.yaml needs {', '.join(missing)}, which no earlier stack gave as an output: "
            "see with `make status` whether those stacks are complete."
        )
    return {name: values[name] for name in template.parameters}
