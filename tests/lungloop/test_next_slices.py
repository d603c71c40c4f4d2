"""The least certain open slice comes first; what nobody has looked at comes last, and says so."""

from pathlib import Path

import numpy as np

from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from lungloop.next_slices import next_slices


def test_the_order_is_by_the_champions_score(tmp_path: Path) -> None:
    slices = tuple(np.full((64, 64), grey, np.uint8) for grey in range(4))
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as catalog:
        study, _ = catalog.add_study(Study("s", "p", slices, Intensity.PICTURE, tmp_path), "images")
        catalog.ensure_base("base-1")
        nothing = np.zeros((64, 64), np.uint8)
        for record, score in zip(catalog.slices(study.id), (0.9, 0.2, 0.6), strict=False):
            catalog.add_prediction(record.id, "base-1", SlicePrediction(nothing, score, 0.1), 0.1)
        rows = next_slices(catalog, 10)
        assert [row.slice for row in rows] == [1, 2, 0, 3]
        assert rows[0].why == "number 1 of 3 by uncertainty: base-1 is 20% sure of it"
        assert rows[-1].as_dict() == {
            "study": "s",
            "slice": 3,
            "score": None,
            "model_version": None,
            "why": "no prediction yet: run `lungloop preannotate`",
        }
        assert len(next_slices(catalog, 2)) == 2
