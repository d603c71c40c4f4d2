"""What the catalog, its snapshots and the cards say of learning: corrections once, time by annotation."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.catalog.snapshots import KIND
from chestct.derived.learning import learning_of, learning_stamp
from chestct.intensity import Intensity
from chestct.study import Study


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A study of six slices of a patient in training, and a champion."""
    slices = tuple(np.full((8, 8), grey, np.uint8) for grey in range(6))
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as opened:
        opened.studies.add(Study("s", "p", slices, Intensity.PICTURE, tmp_path), "images")
        opened.versions.ensure_base("base-1")
        yield opened


def correct(
    catalog: Catalog, index: int, seconds: float | None, *, annotation: int = -1, day: int = 1
) -> int:
    record = catalog.slices.all()[index]
    row, _ = catalog.corrections.add(
        slice_id=record.id,
        project_uid="7:2026",
        task_id=index,
        annotation_id=index if annotation < 0 else annotation,
        annotation_updated_at=f"2026-03-0{day}T09:00:00Z",
        state=CorrectionState.SUBMITTED,
        annotator="ada",
        via="sync",
        label_map=np.full((8, 8), index, np.uint8) % 3,
        lead_time_seconds=seconds,
    )
    return row.id


def retrain(catalog: Catalog, version: str, corrections: list[int], judged: list[int] | None = None) -> None:
    snapshot = {
        "format": 1,
        "corrections": [{"correction_id": row} for row in corrections],
        # Reference labels have no correction.
        "test": [{"correction_id": row} for row in judged or []] + [{"correction_id": None}],
        "version": version,
    }
    key = catalog.storage.write_bytes(KIND, json.dumps(snapshot).encode(), "json")
    catalog.versions.register(version, "base-1", Path(key).stem)
    catalog.versions.refuse(version, {"promote": False, "reasons": ["too little"], "figures": {}})


def test_each_version_has_its_corrections_and_what_was_spent_since_the_one_before(
    catalog: Catalog, tmp_path: Path
) -> None:
    first = [correct(catalog, 0, 30.0), correct(catalog, 1, None)]
    retrain(catalog, "v1", first)
    second = [*first, correct(catalog, 2, 50.0)]
    retrain(catalog, "v2", second, judged=[correct(catalog, 3, 20.0)])
    correct(catalog, 4, 15.0)
    learning = learning_of(catalog, tmp_path)
    assert [version.version for version in learning.versions] == ["v1", "v2"]
    assert [version.corrections for version in learning.versions] == [2, 3]
    one, two = (version.effort for version in learning.versions)
    assert one is not None
    assert two is not None
    assert one.as_dict() == {"corrections": 2, "test_readings": 0, "seconds": 30.0, "timed": 1}
    assert two.as_dict() == {"corrections": 1, "test_readings": 1, "seconds": 70.0, "timed": 2}
    assert learning.since.as_dict() == {"corrections": 1, "test_readings": 0, "seconds": 15.0, "timed": 1}


def test_an_annotation_that_grew_or_spans_slices_is_counted_once(catalog: Catalog, tmp_path: Path) -> None:
    # One annotation of a study task: both slices carry the time of the whole.
    shared = [correct(catalog, index, 100.0, annotation=9) for index in (0, 1)]
    single = correct(catalog, 2, 40.0)
    retrain(catalog, "v1", [*shared, single])
    again = correct(catalog, 2, 55.0, day=2)
    retrain(catalog, "v2", [*shared, again])
    efforts = [version.effort for version in learning_of(catalog, tmp_path).versions]
    assert [effort and effort.seconds for effort in efforts] == [140.0, 15.0]
    assert [effort and effort.corrections for effort in efforts] == [3, 1]


def test_a_snapshot_that_is_gone_leaves_its_figures_unknown(catalog: Catalog, tmp_path: Path) -> None:
    catalog.versions.register("v1", "base-1", "ab" * 32)
    (version,) = learning_of(catalog, tmp_path).versions
    assert (version.corrections, version.effort, version.serves) == (None, None, None)


def test_the_stamp_changes_with_corrections_and_decisions(catalog: Catalog) -> None:
    stamps = [learning_stamp(catalog)]
    row = correct(catalog, 0, 1.0)
    stamps.append(learning_stamp(catalog))
    retrain(catalog, "v1", [row])
    stamps.append(learning_stamp(catalog))
    assert len(set(stamps)) == 3
