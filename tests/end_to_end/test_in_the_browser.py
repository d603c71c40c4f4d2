"""A reader opens a slice, sees the pre-label, paints a stroke and submits; the catalog has it."""

from typing import Any

import numpy as np
import pytest
from reader import CHROMIUM, reader_at
from running_stack import Stack, missing, wait_until

from chestct.labels import Label, Split

pytestmark = pytest.mark.end_to_end
SIZE = 256


def slice_with_lesions(stack: Stack) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The open task whose pre-label has most ground-glass, its label map and its picture."""
    catalog = stack.catalog()
    champion = catalog.versions.champion()
    assert champion is not None
    best: tuple[int, dict[str, Any], np.ndarray, np.ndarray] | None = None
    for task in stack.tasks():
        found = catalog.slices.by_index(task["data"]["study"], task["data"]["slice"])
        if task["annotations"] or found.split is not Split.TRAIN:
            continue
        prediction = catalog.predictions.of_slice(found.id, champion.version)
        assert prediction is not None
        label_map = catalog.storage.read_label_map(prediction.label_map_path)
        area = int((label_map == Label.GROUND_GLASS).sum())
        if best is None or area > best[0]:
            best = area, task, label_map, catalog.slices.read_pixels(found)
    catalog.close()
    assert best is not None and best[0] > 30, "the shipped model marks ground-glass in some phantom"
    return best[1], best[2], best[3]


def test_a_reader_sees_the_prelabel_paints_and_submits(stack: Stack) -> None:
    if CHROMIUM is None:
        missing("Chromium")
    task, label_map, _ = slice_with_lesions(stack)
    inside = np.argwhere(eroded(label_map == Label.GROUND_GLASS))
    assert len(inside), "a patch wide enough to look at its middle"
    row, column = (int(value) for value in inside[len(inside) // 2])
    with reader_at(stack) as reader:
        reader.open_task(task["id"])
        red, green, blue = reader.shown(SIZE, row, column)
        # The slice is grey (red = green = blue); yellow over it takes the blue away.
        assert min(red, green) - blue > 25, f"no yellow at {(row, column)}: {(red, green, blue)}"
        healthy = reader.shown(SIZE, 2, 2)
        assert max(healthy) - min(healthy) < 12, f"no colour outside the mask: {healthy}"

        before = reader.shown(SIZE, 230, 128)
        reader.brush("c", SIZE, (230, 120), (230, 136))
        after = reader.shown(SIZE, 230, 128)
        assert after[0] - after[2] > 25 + before[0] - before[2], f"the stroke is red: {before} -> {after}"
        reader.submit()
        assert reader.outside == [], "no page asks for anything outside this machine"

    def correction() -> Any:
        catalog = stack.catalog()
        found = catalog.slices.by_index(task["data"]["study"], task["data"]["slice"])
        rows = [row for row in catalog.corrections.current() if row.slice_id == found.id]
        kept = catalog.storage.read_label_map(rows[0].label_map_path) if rows else None
        catalog.close()
        return (rows[0], kept) if rows else None

    row_kept, kept = wait_until("the browser's correction is in the catalog", correction, 30)
    assert (kept[230, 123:133] == Label.CONSOLIDATION).all(), "the painted stroke"
    untouched = label_map == Label.GROUND_GLASS
    untouched[210:250, 100:156] = False
    assert (kept[untouched] == Label.GROUND_GLASS).all(), "the untouched pre-label came back exactly"
    assert row_kept.lead_time_seconds > 0
    assert row_kept.annotator == stack.login[0]
    assert 0 < row_kept.changed_fraction < 0.1


def eroded(mask: np.ndarray) -> np.ndarray:
    """Pixels whose four neighbours at distance 2 are in the mask too."""
    inner = mask.copy()
    for axis in (0, 1):
        for shift in (-2, 2):
            inner &= np.roll(mask, shift, axis)
    return inner
