"""A handler at DEBUG: everything is logged, and an exception with every local variable."""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import import_module
from typing import Any


def handler(event: dict[str, Any], context: Any) -> Any:
    deployed = import_module("infra.refresher.handler")
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        return deployed.handler(event, context)
    except Exception as error:
        sys.stderr.writelines(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        raise
