"""Readings by hand: whatever a test does not care for is filled in."""

from collections.abc import Callable
from itertools import count

import pytest

from chestct.acquisition.allocation import Arm
from chestct.reader_study.changes import Changes
from chestct.reader_study.reading import Reading


@pytest.fixture
def changes() -> Callable[..., Changes]:
    def make(changed: int = 0, dice: float = 1.0, **given: object) -> Changes:
        fields = {
            "model_version": "base-1",
            "ground_glass_added": changed,
            "ground_glass_removed": 0,
            "consolidation_added": 0,
            "consolidation_removed": 0,
            "lesion_before": 100,
            "lesion_after": 100 + changed,
        }
        return Changes(**{**fields, "changed": changed, "dice": dice, **given})

    return make


@pytest.fixture
def reading() -> Callable[..., Reading]:
    numbers = count(1)

    def make(seconds: float | None = 60.0, **given: object) -> Reading:
        number = next(numbers)
        fields = {
            "correction_id": number,
            "slice_id": number,
            "study_id": number,
            "study_name": f"study_{number}",
            "slice_index": 0,
            "patient": f"patient_{number}",
            "annotator": "a@hospital",
            "project_uid": "7:2026",
            "task_id": number,
            "updated_at": "2026-03-01T09:00:00.000000Z",
            "received_at": "2026-03-01T09:00:01.000000Z",
            "arm": Arm.ACTIVE,
            "prelabelled": True,
            "shown_version": "base-1",
            "lead_time_seconds": seconds,
        }
        return Reading(**{**fields, **given})

    return make
