"""The kept order comes first, or else the least certain; what nobody has looked at comes last."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from lungloop.next_slices import next_slices


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Four slices, of which the champion has looked at three."""
    slices = tuple(np.full((64, 64), grey, np.uint8) for grey in range(4))
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as opened:
        study, _ = opened.studies.add(Study("s", "p", slices, Intensity.PICTURE, tmp_path), "images")
        opened.versions.ensure_base("base-1")
        nothing = np.zeros((64, 64), np.uint8)
        for record, score in zip(opened.slices.of_study(study.id), (0.9, 0.2, 0.6), strict=False):
            opened.predictions.add(record.id, "base-1", SlicePrediction(nothing, score, 0.1), 0.1)
        yield opened


def test_before_an_order_is_kept_it_is_by_the_champions_score(catalog: Catalog) -> None:
    rows = next_slices(catalog, 10)
    assert [row.slice for row in rows] == [1, 2, 0, 3]
    assert rows[0].why == "number 1 of 3 by uncertainty: base-1 is 20% sure of it"
    assert rows[-1].as_dict() == {
        "study": "s",
        "slice": 3,
        "score": None,
        "model_version": None,
        "why": "no prediction yet: run `lungloop preannotate`",
        "place": None,
    }
    assert len(next_slices(catalog, 2)) == 2


def test_the_kept_order_comes_first_and_what_it_does_not_hold_behind_it(catalog: Catalog) -> None:
    ids = [one.id for one in catalog.slices.all()]
    catalog.worklist.keep("base-1", [ids[2], ids[0]], ["may hold consolidation nobody has checked", "unsure"])
    rows = next_slices(catalog, 10)
    assert [(row.slice, row.place) for row in rows] == [(2, 1), (0, 2), (1, None), (3, None)]
    assert rows[0].as_dict() == {
        "study": "s",
        "slice": 2,
        "score": 1 / 3,
        "model_version": "base-1",
        "why": "may hold consolidation nobody has checked",
        "place": 1,
    }
    assert rows[2].why == "predicted since the order was made: base-1 is 20% sure of it"
    assert next_slices(catalog, 1) == rows[:1]


def test_an_order_of_a_version_that_serves_no_longer_is_not_followed(catalog: Catalog) -> None:
    ids = [one.id for one in catalog.slices.all()]
    catalog.worklist.keep("v2", ids[::-1], ["because"] * 4)
    assert [row.slice for row in next_slices(catalog, 10)] == [1, 2, 0, 3]
    assert {row.place for row in next_slices(catalog, 10)} == {None}


def test_where_two_versions_serve_each_slice_is_told_of_by_its_own(catalog: Catalog) -> None:
    (study,) = catalog.studies.all()
    catalog.versions.register("v2", "base-1", None)
    catalog.versions.serve_open_studies("v2", [study.id])
    first = catalog.slices.all()[0]
    catalog.predictions.add(first.id, "v2", SlicePrediction(np.zeros((64, 64), np.uint8), 0.4, 0.1), 0.1)
    rows = next_slices(catalog, 10)
    assert [(row.slice, row.score) for row in rows] == [(0, 0.4), (1, None), (2, None), (3, None)]
    assert rows[0].model_version == "base-1+v2"
    assert rows[0].why == "number 1 of 1 by uncertainty: v2 is 40% sure of it"
