"""The order of work as the real Label Studio serves it: ours, before and after a promotion.

Only the network is a stand-in, so that 200 slices by two versions take seconds: it draws what it doubts from
the slice's pixels. Catalog, backend, pre-annotation, sync and Label Studio are the real ones.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from running_stack import CHECKOUT, LABEL_STUDIO, free_port, missing, wait_until
from werkzeug.serving import make_server

from chestct.acquisition.allocation import Arm, Shares
from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.settings import Settings
from chestct.study import Study
from lungloop.stack.credentials import load_or_create
from lungloop.stack.label_studio import pictures_folder, shipped_config
from lungloop.stack.service import spawn
from lungloop.stack.services import label_studio_service
from ml_backend.app import create_app
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.heat_map import heat_map_path
from ml_backend.label_studio.provision import connect_backend, ensure_project
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.model import Backend
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.next_tasks import order_next_tasks
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices
from ml_backend.sync import reconcile

pytestmark = pytest.mark.end_to_end

STUDIES, SLICES, SIDE = 20, 10, 64
SERVED = 30
# More are blank and read twice than by default, so that a run of 60 tasks meets some.
CHOICES = OrderChoices("clasp-pe", Shares(control=0.10, unassisted=0.15, double_read=0.15))
Json = dict[str, Any]


class StandIn:
    """A segmenter that finds the same square in every slice and doubts what the pixels' hash says."""

    involvement_calibration = None

    def __init__(self, version: str) -> None:
        self.version = version

    def segment(self, pixels: npt.NDArray[Any], intensity: Intensity) -> SlicePrediction:
        seed = hashlib.sha256(self.version.encode() + pixels.tobytes()).digest()
        rng = np.random.default_rng(list(seed))
        label_map = np.zeros(pixels.shape, np.uint8)
        label_map[20:30, 20:30] = 1
        zone, ground_glass, consolidation = rng.random(3) * 0.2
        return SlicePrediction(
            label_map,
            score=float(rng.random()),
            entropy_mean=float(zone),
            zone_entropy=float(zone),
            ground_glass_entropy=float(ground_glass),
            consolidation_entropy=float(consolidation),
            lesion_zone=0.02,
            uncertainty=rng.integers(0, 256, (32, 32), np.uint8),
        )

    def segment_study(
        self, slices: Any, intensity: Intensity, *, slices_apart_mm: float | None = None
    ) -> list[SlicePrediction]:
        return list(self.each_of_study(slices, intensity))

    def each_of_study(
        self, slices: Any, intensity: Intensity, *, slices_apart_mm: float | None = None
    ) -> Iterator[SlicePrediction]:
        return (self.segment(one, intensity) for one in slices)


@dataclass
class Place:
    """A Label Studio, our backend and the catalog, in one test."""

    catalog: Catalog
    champion: Champion
    client: LabelStudio
    project_id: int
    backend_url: str

    def follow(self, version: str) -> None:
        """What the jobs after a promotion do."""
        connect_backend(self.client, self.project_id, self.backend_url, version, None)
        preannotate(self.catalog, self.champion, self.client, self.project_id, choices=CHOICES)

    def slice_of(self, task_id: int) -> int:
        linked = self.catalog.tasks.slice_of(self.client.project(self.project_id).uid, task_id)
        assert linked is not None
        return linked.id

    def expected(self, count: int) -> list[int]:
        return [one.slice.id for one in self.catalog.worklist.next(count)]


class Reader:
    """Asks Label Studio for the next task and answers it, as its page does."""

    def __init__(self, place: Place, url: str, token: str) -> None:
        self._place = place
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60)

    def next(self) -> Json:
        answer = self._http.get(f"/api/projects/{self._place.project_id}/next")
        answer.raise_for_status()
        return answer.json()

    def answer(self, task: Json, *, skips: bool = False) -> None:
        (prelabel,) = (one for one in task["predictions"] if one["model_version"] == self._version())
        body = {
            "result": prelabel["result"],
            "lead_time": 7.0,
            "was_cancelled": skips,
            "parent_prediction": prelabel["id"],
        }
        self._http.post(f"/api/tasks/{task['id']}/annotations/", json=body).raise_for_status()

    def read(self, count: int, skip_each: int = 0) -> list[int]:
        """Slice ids in the order in which they were served."""
        served = []
        for number in range(1, count + 1):
            task = self.next()
            served.append(self._place.slice_of(task["id"]))
            self.answer(task, skips=bool(skip_each) and number % skip_each == 0)
        return served

    def leave(self) -> None:
        self._http.close()

    def _version(self) -> str:
        return self._place.champion.release().name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """200 slices of 20 patients in a Label Studio of their own."""
    if not LABEL_STUDIO.exists():
        missing("Label Studio's environment .venv-label-studio (run `make label-studio`)")
    home = tmp_path_factory.mktemp("order")
    port, backend_port = free_port(), free_port()
    settings = Settings(
        home=home,
        database_url=f"sqlite:///{home / 'catalog.sqlite3'}",
        storage_url=str(home / "storage"),
        weights_dir=CHECKOUT / "weights",
        label_studio_url=f"http://127.0.0.1:{port}",
        label_studio_files_root=str(home),
        backend_url=f"http://127.0.0.1:{backend_port}",
    )
    login = load_or_create(home)
    service = label_studio_service(settings, port, login, LABEL_STUDIO)
    process = spawn(service, home)
    server = None
    try:
        with Catalog.open(settings.database_url, settings.storage_url) as catalog:
            rng = np.random.default_rng(5)
            for number in range(STUDIES):
                slices = [rng.integers(0, 256, (SIDE, SIDE), np.uint8) for _ in range(SLICES)]
                study = Study(f"case {number}", f"patient {number}", slices, Intensity.PICTURE, Path("made"))
                catalog.studies.add(study, "images")
            catalog.versions.ensure_base("first")
            champion = Champion(catalog, StandIn)
            wait_until("Label Studio answers", service.is_ready, service.ready_within_seconds)
            settings = replace(settings, label_studio_token=login.token)
            client = LabelStudio.from_settings(settings)
            pictures = pictures_folder(settings)
            project = ensure_project(client, "Slices", shipped_config("slice", "en"), str(pictures))
            settings = replace(settings, project_id=project.id)
            app = create_app(settings, Backend.build(settings, catalog, champion))
            server = make_server("127.0.0.1", backend_port, app, threaded=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            create_missing_tasks(catalog, client, project.id, home)
            yield Place(catalog, champion, client, project.id, str(settings.backend_url))
            client.close()
    finally:
        if server is not None:
            server.shutdown()
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def first_reader(place: Place) -> Iterator[Reader]:
    auth = place.client.http.json("GET", "/api/current-user/token")
    reader = Reader(place, place.client.http.url, auth["token"])
    yield reader
    reader.leave()


@pytest.fixture(scope="module")
def second_reader(place: Place) -> Iterator[Reader]:
    """Somebody who signed up by invitation."""
    url = place.client.http.url
    invitation = place.client.http.json("GET", "/api/invite")["invite_url"]
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as browser:
        page = browser.get(invitation)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        form = {
            "csrfmiddlewaretoken": token.group(1),
            "email": "second@clinic.test",
            "password": "a-long-password",
            "allow_newsletters": "false",
        }
        browser.post(invitation, data=form, headers={"Referer": url + invitation}).raise_for_status()
        reader = Reader(place, url, browser.get("/api/current-user/token").json()["token"])
    yield reader
    reader.leave()


def test_label_studio_serves_our_order_before_and_after_a_promotion(
    place: Place, first_reader: Reader, second_reader: Reader
) -> None:
    catalog = place.catalog
    place.follow("first")
    order_of_first = place.expected(SLICES * STUDIES)
    assert len(order_of_first) == SLICES * STUDIES
    served = first_reader.read(SERVED, skip_each=10)
    assert served == order_of_first[:SERVED]

    reconcile(catalog, place.client, place.project_id)
    catalog.versions.register("second", "first", None)
    catalog.versions.set_champion("second")
    place.follow("second")
    answered = set(served)
    order_of_second = [one for one in place.expected(SLICES * STUDIES) if one not in answered]
    remembered = [one for one in order_of_first if one not in answered]
    assert order_of_second[:SERVED] != remembered[:SERVED], "another version, another order"
    served_then = first_reader.read(SERVED)
    assert served_then == order_of_second[:SERVED]
    assert len({*served, *served_then}) == 2 * SERVED
    # Some of both arms were served, and nothing in Label Studio tells which.
    assignments = catalog.allocations.all()
    assert {assignments[one].arm for one in (*served, *served_then)} == {Arm.ACTIVE, Arm.CONTROL}
    for _, data in place.client.task_data(place.project_id):
        assert set(data) == {"image", "study", "slice", "doubt"}

    # After corrections the next places are made anew, and served.
    reconcile(catalog, place.client, place.project_id)
    report = order_next_tasks(catalog, place.client, place.project_id, "second", CHOICES)
    assert 0 < report.placed <= 50
    answered |= set(served_then)
    after = [one for one in place.expected(SLICES * STUDIES) if one not in answered]
    assert first_reader.read(10) == after[:10]

    # The second reader is served again what is to be read twice, or was skipped, and nothing else.
    answered |= set(after[:10])
    of_second_reader = second_reader.read(8)
    again = [one for one in of_second_reader if one in answered]
    assert len(set(of_second_reader)) == 8
    assert again
    skipped = set(served[9::10])
    assert all(assignments[one].read_twice or one in skipped for one in again)
    assert any(assignments[one].read_twice and one not in skipped for one in again)


def test_a_blank_task_shows_nothing_of_the_model_and_counts_as_begun_from_nothing(place: Place) -> None:
    """After the order was read: its slices were answered by the readers above."""
    catalog = place.catalog
    reconcile(catalog, place.client, place.project_id)
    assignments = catalog.allocations.all()
    corrections = catalog.corrections.current()
    assert {assignments[one.slice_id].prelabelled for one in corrections} == {True, False}
    for row in corrections:
        assert (row.model_version is None) == (not assignments[row.slice_id].prelabelled)

    shown = {True: set[bytes](), False: set[bytes]()}
    for one in catalog.slices.open():
        file = heat_map_path(catalog, one)
        shown[assignments[one.id].prelabelled].add(file.read_bytes())
    assert len(shown[False]) == 1, "a blank task has the plain grey picture"
    assert len(shown[True]) > 100
    assert not shown[True] & shown[False]
    task_id, data = next(iter(place.client.task_data(place.project_id)))
    assert (
        place.client.http.bytes(data["doubt"][0], 2**20)
        == heat_map_path(catalog, catalog.slices.get(place.slice_of(task_id))).read_bytes()
    ), "Label Studio serves the file that is there now"
