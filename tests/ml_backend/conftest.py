"""Fakes: a segmenter that thresholds, a queue that remembers, Label Studio in memory to break on purpose."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.requests import RequestStore
from chestct.errors import InputError, ServiceUnavailableError
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.settings import Settings
from chestct.study import Study
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.task_pictures import TaskPictures
from ml_backend.metrics import Counters
from ml_backend.model import Backend
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.predictor import Predictor

REPOSITORY = Path(__file__).parents[2]
SLICE_XML = (REPOSITORY / "annotation_configs" / "slice.xml").read_text()
STUDY_XML = (REPOSITORY / "annotation_configs" / "study.xml").read_text()
SIDE = 64


class FakeSegmenter:
    """Grey above 100 is ground-glass, above 200 consolidation; counts its work."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.involvement_calibration = None
        self.calls = 0
        self.fails_on: Callable[[npt.NDArray[Any]], bool] = lambda pixels: False
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()

    def segment(self, pixels: npt.NDArray[Any], intensity: Intensity) -> SlicePrediction:
        self.calls += 1
        self.has_begun.set()
        assert self.may_go_on.wait(20)
        if self.fails_on(pixels):
            raise InputError("slice", "cannot be segmented")
        label_map = (pixels > 100).astype(np.uint8) + (pixels > 200).astype(np.uint8)
        return SlicePrediction(label_map, score=0.25, entropy_mean=0.1)


class FakeQueue:
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.is_down = False

    def _ask(self, *what: object) -> str:
        if self.is_down:
            raise ServiceUnavailableError("the queue", "does not answer")
        self.asked.append(what)
        return "job"

    def enqueue_sync(self, task_id: int | None = None) -> str:
        return self._ask("sync", task_id)

    def enqueue_preannotate(self) -> str:
        return self._ask("preannotate")

    def enqueue_order(self) -> str:
        return self._ask("order")

    def request_retrain(self, requests: RequestStore, requested_by: str, **_: object) -> Any:
        request = requests.add(requested_by)
        self._ask("retrain", request.id)
        return type("Ticket", (), {"request_id": request.id, "job_id": "job", "coalesced": False})()

    def status(self) -> dict[str, Any]:
        self._ask("status")
        job = {"id": "j", "kind": "retrain", "progress": 0.4, "seconds_left": 200.0, "stage": "fitting"}
        return {"queued": 1, "running": 1, "failed": 0, "jobs": [job]}


class FakeLabelStudio:
    """Enough of Label Studio 1.23's API, in memory; `broken` paths answer 500, `is_down` nothing."""

    def __init__(self) -> None:
        self.project = {
            "id": 7,
            "title": "Slices",
            "created_at": "2026-01-01T00:00:00.000000Z",
            "label_config": SLICE_XML,
            "model_version": "",
        }
        self.tasks: dict[int, dict[str, Any]] = {}
        self.annotations: dict[int, dict[str, Any]] = {}
        self.predictions: dict[int, dict[str, Any]] = {}
        self.overlaps: dict[int, int] = {}
        self.is_down = False
        self.hidden_from_list: set[int] = set()
        self.requests: list[str] = []
        self._clock = 0

    def client(self) -> LabelStudio:
        return LabelStudio("http://label-studio.test", "t" * 40, httpx.MockTransport(self._answer))

    def add_task(self, **data: Any) -> int:
        task_id = len(self.tasks) + 1
        self.tasks[task_id] = data
        return task_id

    def annotate(self, task_id: int, result: list[Any], **fields: Any) -> int:
        annotation_id = max(self.annotations, default=100) + 1
        self.annotations[annotation_id] = {
            "id": annotation_id,
            "task": task_id,
            "result": result,
            "was_cancelled": False,
            "ground_truth": False,
            "created_username": " Ada Reader ada@clinic.test, 1",
            "completed_by": 1,
            "lead_time": 12.5,
            "parent_prediction": None,
            "updated_at": self._now(),
            **fields,
        }
        return annotation_id

    def change(self, annotation_id: int, **fields: Any) -> None:
        self.annotations[annotation_id] |= {"updated_at": self._now(), **fields}

    def _now(self) -> str:
        self._clock += 1
        return f"2026-02-01T00:00:{self._clock:02d}.000000Z"

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        path = request.url.path.rstrip("/")
        self.requests.append(f"{request.method} {path}")
        body = json.loads(request.content) if request.content else None
        if path == "/api/projects/7":
            if request.method == "PATCH":
                self.project |= body
            return httpx.Response(200, json=self.project)
        if path == "/api/tasks":
            return self._list_tasks(request)
        if path == "/api/projects/7/import":
            new = [self.add_task(**task["data"]) for task in body]
            return httpx.Response(201, json={"task_ids": new})
        if path == "/api/projects/7/import/predictions":
            if any(row["task"] not in self.tasks for row in body):
                return httpx.Response(400, json={"detail": "no such task"})
            for row in body:
                self.predictions[len(self.predictions) + 1] = row
            return httpx.Response(201, json={"created": len(body)})
        kind, _, number = path.removeprefix("/api/").partition("/")
        if kind == "tasks" and request.method == "PATCH" and int(number) in self.tasks:
            self.tasks[int(number)] = body.get("data", self.tasks[int(number)])
            self.overlaps[int(number)] = body.get("overlap", self.overlaps.get(int(number), 1))
            return httpx.Response(200, json={"id": int(number)})
        rows = {"annotations": self.annotations, "predictions": self.predictions}.get(kind, {})
        if request.method == "PATCH" and int(number) in rows:
            rows[int(number)] |= body
        if re.fullmatch(r"\d+", number) and int(number) in rows:
            return httpx.Response(200, json=rows[int(number)])
        return httpx.Response(404, json={"detail": "not found"})

    def _readers(self, task_id: int) -> int:
        return sum(row["task"] == task_id and not row["was_cancelled"] for row in self.annotations.values())

    def _list_tasks(self, request: httpx.Request) -> httpx.Response:
        query = json.loads(request.url.params.get("query", "{}"))
        chosen = sorted(self.tasks)
        if "selectedItems" in query:
            chosen = [task_id for task_id in chosen if task_id in query["selectedItems"]["included"]]
        if "filters" in query:
            annotated = {row["task"] for row in self.annotations.values()}
            chosen = [task_id for task_id in chosen if task_id in annotated]
        size, page = int(request.url.params["page_size"]), int(request.url.params["page"])
        shown = [
            {
                "id": task_id,
                "data": self.tasks[task_id],
                "overlap": self.overlaps.get(task_id, 1),
                "is_labeled": self._readers(task_id) >= self.overlaps.get(task_id, 1),
                "annotations": [
                    {key: row[key] for key in ("id", "updated_at", "was_cancelled")}
                    for row in self.annotations.values()
                    if row["task"] == task_id and row["id"] not in self.hidden_from_list
                ],
                "predictions": [
                    {"id": number, "model_version": row["model_version"], "score": row.get("score")}
                    for number, row in self.predictions.items()
                    if row["task"] == task_id
                ],
            }
            for task_id in chosen[(page - 1) * size : page * size]
        ]
        return httpx.Response(200, json={"tasks": shown, "total": len(chosen)})


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalog: copying it is quicker than migrating anew for every test."""
    folder = tmp_path_factory.mktemp("migrated")
    Catalog.open(f"sqlite:///{folder / 'catalog.sqlite3'}", str(folder / "storage")).close()
    return folder / "catalog.sqlite3"


@pytest.fixture
def catalog(tmp_path: Path, migrated_database: Path) -> Iterator[Catalog]:
    shutil.copy(migrated_database, tmp_path / "catalog.sqlite3")
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as opened:
        yield opened


@pytest.fixture
def study(catalog: Catalog) -> str:
    """Three slices: one ground-glass square, one consolidation square, one empty."""
    slices = [np.full((SIDE, SIDE), 50 + index, np.uint8) for index in range(3)]
    slices[0][10:20, 10:20] = 150
    slices[1][30:40, 30:40] = 250
    catalog.studies.add(Study("case 1", "patient 1", slices, Intensity.PICTURE, Path("case")), "images")
    catalog.versions.ensure_base("base-1")
    return "case 1"


@pytest.fixture
def segmenters() -> dict[str, FakeSegmenter]:
    """Version -> its segmenter, filled as versions are loaded."""
    return {}


@pytest.fixture
def champion(catalog: Catalog, segmenters: dict[str, FakeSegmenter]) -> Champion:
    return Champion(catalog, lambda version: segmenters.setdefault(version, FakeSegmenter(version)))


@pytest.fixture
def label_studio() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        database_url="unused",
        storage_url=str(tmp_path / "storage"),
        weights_dir=tmp_path / "weights",
        project_id=7,
        label_studio_url="http://label-studio.test",
    )


@pytest.fixture
def backend(
    settings: Settings,
    catalog: Catalog,
    champion: Champion,
    queue: Any,
    label_studio: FakeLabelStudio,
    tmp_path: Path,
) -> Backend:
    return Backend(
        settings,
        catalog,
        champion,
        Predictor(catalog),
        TaskPictures(catalog, tmp_path, label_studio.client()),
        queue,
        Counters(),
    )


@pytest.fixture
def slice_xml() -> str:
    return SLICE_XML


@pytest.fixture
def study_xml() -> str:
    return STUDY_XML
