"""Fill a template's parameters from the earlier stacks and uploads, else from the settings, else by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.deploy.stacks import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.templates import Template


def fill(template: Template, earlier: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return a value for every parameter of a template.

    Defaults are included, because CloudFormation would keep the previous value of a setting that was removed from .env.

    :param template: the template.
    :param earlier: the earlier stacks' outputs and the uploads' object versions.
    :param settings: the settings, by parameter name.
    :raises StackError: if a required parameter has no value.
    """
    defaults = {name: each.default for name, each in template.parameters.items() if each.default is not None}
    values = {**defaults, **settings, **earlier}
    missing = [name for name in template.parameters if name not in values]
    if missing:
        raise StackError(
            f"{template.path.stem}.yaml needs {', '.join(missing)}, which no earlier stack has as an output: "
            "run `make status` to see whether those stacks are complete."
        )
    return {name: values[name] for name in template.parameters}
