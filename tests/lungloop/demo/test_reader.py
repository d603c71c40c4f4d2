"""The synthetic reader at a stand-in of Label Studio that serves tasks one by one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import NotFoundError
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.study import Study
from lungloop.demo.reader import SyntheticReader
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import prediction_result, read_label_map

XML = (Path(__file__).resolve().parents[3] / "annotation_configs" / "slice.xml").read_text()
CONFIG = parse_label_config(XML)
SLICES, SIDE = 3, 8


class Stream:
    """Label Studio's labelling stream: serves the first task without an annotation."""

    def __init__(self, tasks: list[dict[str, Any]]) -> None:
        self.tasks = tasks
        self.submitted: dict[int, dict[str, Any]] = {}

    def client(self) -> LabelStudio:
        return LabelStudio("http://label-studio.test", "t" * 40, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if path == "/api/projects/7":
            facts = {"id": 7, "title": "t", "created_at": "2026-01-01T00:00:00Z"}
            return httpx.Response(200, json={**facts, "label_config": XML, "model_version": "base-4"})
        if path == "/api/projects/7/next":
            left = [task for task in self.tasks if task["id"] not in self.submitted]
            return httpx.Response(200, json=left[0]) if left else httpx.Response(404, json={})
        self.submitted[int(path.split("/")[3])] = json.loads(request.content)
        return httpx.Response(201, json={"id": 1})


class Known:
    """One true lesion in every slice but those of `unknown`."""

    def __init__(self, unknown: tuple[int, ...] = ()) -> None:
        self.unknown = unknown

    def of_slice(self, slice_record: SliceRecord, shown: np.ndarray) -> np.ndarray | None:
        return None if slice_record.index in self.unknown else lesion(slice_record.index)


def lesion(row: int) -> np.ndarray:
    label_map = np.zeros((SIDE, SIDE), np.uint8)
    label_map[row : row + 2, 2:6] = Label.GROUND_GLASS
    return label_map


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    rng = np.random.default_rng(1)
    slices = [rng.integers(0, 256, (SIDE, SIDE), np.uint8) for _ in range(SLICES)]
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as opened:
        opened.studies.add(Study("case", "patient", slices, Intensity.PICTURE, Path("made")), "images")
        yield opened


@pytest.fixture
def stream(catalog: Catalog) -> Stream:
    """The last slice first; each shows the lesion of slice 0, by an older version too."""
    rows = []
    for item in reversed(catalog.slices.all()):
        shown = [
            {"id": 10 * item.index + number, **prediction_result([label_map], 0.5, version, CONFIG)}
            for number, (version, label_map) in enumerate((("base-4", lesion(0)), ("older", lesion(5))))
        ]
        data = {"image": f"/data/local-files/?d=storage/{item.picture_path}", "study": "case"}
        rows.append({"id": 100 + item.index, "data": {**data, "slice": item.index}, "predictions": shown})
    return Stream(rows)


def reader_of(catalog: Catalog, stream: Stream, truth: Known) -> SyntheticReader:
    return SyntheticReader(catalog, stream.client(), 7, truth)


def test_it_answers_in_the_order_of_the_stream_with_the_truth(catalog: Catalog, stream: Stream) -> None:
    readings = reader_of(catalog, stream, Known()).read(2)
    assert [reading.slice for reading in readings] == [2, 1]
    assert list(stream.submitted) == [102, 101]
    for reading in readings:
        submitted = stream.submitted[reading.task_id]
        drawn = read_label_map(submitted["result"], CONFIG, SIDE, SIDE)
        assert np.array_equal(drawn, lesion(reading.slice))
        assert submitted["lead_time"] > 0


def test_it_starts_from_the_prediction_of_the_projects_version(catalog: Catalog, stream: Stream) -> None:
    (reading,) = reader_of(catalog, stream, Known()).read(1)
    assert stream.submitted[102]["parent_prediction"] == 20
    assert reading.model_version == "base-4"
    # Slice 2: rows 2 and 3 are true, rows 0 and 1 are shown, 4 pixels each.
    assert reading.overlap == (0, 8, 8)
    assert reading.lesion_dice == 0
    assert reading.changed_fraction == pytest.approx(16 / 64)


def test_nothing_shown_is_told_apart(catalog: Catalog, stream: Stream) -> None:
    stream.tasks[0]["predictions"][0]["result"] = []
    (reading,) = reader_of(catalog, stream, Known()).read(1)
    assert reading.model_version is None
    assert stream.submitted[102]["parent_prediction"] == 20, "Label Studio names the empty one all the same"


def test_it_stops_where_nothing_is_left(catalog: Catalog, stream: Stream) -> None:
    assert len(reader_of(catalog, stream, Known()).read(50)) == SLICES


def test_a_slice_whose_truth_nobody_knows_is_left_to_a_person(catalog: Catalog, stream: Stream) -> None:
    with pytest.raises(NotFoundError, match="case slice 1 next, whose truth is not known"):
        reader_of(catalog, stream, Known(unknown=(1,))).read(3)
    assert list(stream.submitted) == [102]
