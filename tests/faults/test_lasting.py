"""Every known fault that lasts for hours: the alarms that ring.

A file of its own, because a worker of `make test` runs whole files: another worker runs test_faults.py meanwhile.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.faults.lasting import rings
from tests.faults.rows import ROWS

if TYPE_CHECKING:
    from tests.faults.support import Row, Scene
    from tests.plugins.mwaa_codeartifact.core.support import Clock


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_while_a_fault_lasts_these_alarms_ring_and_no_others(scene: Scene, clock: Clock, row: Row) -> None:
    scene.patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    scene.patch.setattr("mwaa_codeartifact.core.connections._RETRIES.backoff_factor", 0)
    assert rings(row, scene, clock) == row.alarm.value
