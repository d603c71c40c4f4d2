"""Two versions serve under one name: each slice is shown, ordered and answered by the one that serves it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestct.acquisition.allocation import Shares
from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.labels import BRUSH_LABEL_NAMES, Label
from chestct.prediction import SlicePrediction
from chestct.study import Study
from ml_backend import jobs
from ml_backend.label_studio.heat_map import heat_map_path
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.model import Backend, LungLoopModel
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices
from ml_backend.sync import reconcile

SIDE = 64
MIXED = "base-1+v2"
EVERYBODY_SEES = OrderChoices(shares=Shares(0.0, 0.0, 0.0))
PAINTED_BY = {
    "base-1": BRUSH_LABEL_NAMES[Label.GROUND_GLASS],
    "v2": BRUSH_LABEL_NAMES[Label.CONSOLIDATION],
}


@pytest.fixture
def versions(catalog: Catalog, champion: Champion, segmenters: dict[str, Any]) -> dict[int, str]:
    """Slice -> who serves it where base-1 and v2, which learned from the second of two studies, serve.

    Both find the same square; base-1 calls it ground-glass, v2 consolidation.
    """
    ids = []
    for patient in (1, 2):
        slices = [np.full((SIDE, SIDE), 50 + 10 * patient + index, np.uint8) for index in range(2)]
        for pixels in slices:
            pixels[10:20, 10:20] = 150
        study = Study(f"case {patient}", f"patient {patient}", slices, Intensity.PICTURE, Path("case"))
        ids.append(catalog.studies.add(study, "images")[0].id)
    catalog.versions.ensure_base("base-1")
    catalog.versions.register("v2", "base-1", "snapshot", study_ids=ids[1:])

    class Dense(type(champion.segmenter())):  # type: ignore[misc]
        def segment(self, pixels: Any, intensity: Intensity) -> SlicePrediction:
            found = super().segment(pixels, intensity)
            label_map = np.where(found.label_map > 0, 2, 0).astype(np.uint8)
            uncertainty = np.full((SIDE, SIDE), 200, np.uint8)
            return SlicePrediction(label_map, score=0.5, entropy_mean=0.1, uncertainty=uncertainty)

    segmenters["v2"] = Dense("v2")
    return {one.id: "base-1" if one.study_id == ids[0] else "v2" for one in catalog.slices.all()}


@pytest.fixture
def tasks(catalog: Catalog, versions: dict[int, str], label_studio: Any, tmp_path: Path) -> dict[int, int]:
    """Slice -> its task."""
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    return catalog.tasks.by_slice(client.project(7).uid)


def shown(label_studio: Any, release_name: str) -> dict[int, dict[str, Any]]:
    """Task -> what Label Studio shows where this is the project's model version."""
    rows = [row for row in label_studio.predictions.values() if row["model_version"] == release_name]
    assert len(rows) == len({row["task"] for row in rows})
    return {row["task"]: row for row in rows}


def painted(row: dict[str, Any]) -> list[str]:
    return [region["value"]["brushlabels"][0] for region in row["result"]]


def test_each_slice_shows_the_mask_of_the_version_that_serves_it_under_the_releases_name(
    catalog: Catalog,
    champion: Champion,
    versions: dict[int, str],
    segmenters: dict[str, Any],
    label_studio: Any,
    tasks: dict[int, int],
) -> None:
    client = label_studio.client()
    assert preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES).computed == 4
    catalog.versions.serve_open_studies("v2")
    report = preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    assert (report.model_version, report.computed, report.pushed, report.failed) == (MIXED, 2, 4, {})
    assert segmenters["base-1"].calls == 4, "what the champion goes on serving is not computed again"
    rows = shown(label_studio, MIXED)
    assert {one: painted(rows[task]) for one, task in tasks.items()} == {
        one: [PAINTED_BY[version]] for one, version in versions.items()
    }

    order = catalog.worklist.next(9)
    assert {one.model_version for one in order} == {MIXED}
    assert [one.slice.id for one in order] == sorted(tasks, key=lambda one: rows[tasks[one]]["score"])
    assert preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES).pushed == 0
    assert catalog.counts()["predicted"] == 4


def test_heat_maps_are_of_the_version_that_serves(
    catalog: Catalog, champion: Champion, versions: dict[int, str], label_studio: Any, tasks: dict[int, int]
) -> None:
    catalog.versions.serve_open_studies("v2")
    preannotate(catalog, champion, label_studio.client(), 7, choices=EVERYBODY_SEES)
    maps = {one.id: heat_map_path(catalog, one).read_bytes() for one in catalog.slices.all()}
    # Only v2 tells an uncertainty; both maps of the first study are plain grey.
    assert {one: f"\0{versions[one]}".encode() in maps[one] for one in maps} == {
        one: version == "v2" for one, version in versions.items()
    }


def test_rollback_brings_the_champions_pre_labels_back_under_its_own_name(
    catalog: Catalog, champion: Champion, versions: dict[int, str], label_studio: Any, tasks: dict[int, int]
) -> None:
    client = label_studio.client()
    catalog.versions.serve_open_studies("v2")
    preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    catalog.versions.rollback()
    report = preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    assert (report.model_version, report.computed, report.pushed) == ("base-1", 2, 4)
    rows = shown(label_studio, "base-1")
    assert [painted(rows[task]) for task in tasks.values()] == [[PAINTED_BY["base-1"]]] * 4
    assert {one.model_version for one in catalog.worklist.next(9)} == {"base-1"}


def test_a_release_that_comes_while_slices_are_predicted_takes_over(
    catalog: Catalog, champion: Champion, versions: dict[int, str], label_studio: Any, tasks: dict[int, int]
) -> None:
    def promote(pixels: Any) -> bool:
        catalog.versions.serve_open_studies("v2")
        return False

    champion.segmenter().fails_on = promote  # type: ignore[attr-defined]
    report = preannotate(catalog, champion, label_studio.client(), 7, choices=EVERYBODY_SEES)
    assert report.model_version == MIXED
    rows = shown(label_studio, MIXED)
    assert [painted(rows[task]) for task in tasks.values()] == [
        [PAINTED_BY[one]] for one in versions.values()
    ]


def test_after_a_kill_between_promotion_and_following_all_is_stored_and_label_studio_follows_later(
    catalog: Catalog,
    champion: Champion,
    versions: dict[int, str],
    label_studio: Any,
    tasks: dict[int, int],
    queue: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    client = label_studio.client()
    preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    label_studio.project["model_version"] = "base-1"
    catalog.versions.serve_open_studies("v2")
    # Killed here; a sync asked for the next pre-annotation meanwhile.
    preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    still = shown(label_studio, label_studio.project["model_version"])
    assert [painted(still[task]) for task in tasks.values()] == [[PAINTED_BY["base-1"]]] * 4
    assert set(shown(label_studio, MIXED)) == set(tasks.values())

    followed = []
    monkeypatch.setattr(
        jobs, "connect_backend", lambda client, project_id, url, name, *_: followed.append(name)
    )
    monkeypatch.setattr(jobs, "JobQueue", lambda redis_url: queue)
    monkeypatch.setattr(jobs.LabelStudio, "from_settings", lambda settings: client)
    monkeypatch.setenv("LUNGLOOP_BACKEND_URL", "http://backend.test")
    monkeypatch.setenv("LUNGLOOP_PROJECT_ID", "7")
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path))
    monkeypatch.setenv("LUNGLOOP_DATABASE_URL", f"sqlite:///{tmp_path / 'catalog.sqlite3'}")
    assert jobs.follow_champion("base-1")["model_version"] == MIXED
    assert (followed, queue.asked) == ([MIXED], [("preannotate",)])
    assert preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES).pushed == 0


@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_correction_is_of_the_version_that_made_the_pre_label(
    catalog: Catalog,
    champion: Champion,
    versions: dict[int, str],
    label_studio: Any,
    tasks: dict[int, int],
    rolled_back: bool,
) -> None:
    client = label_studio.client()
    catalog.versions.serve_open_studies("v2")
    preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    for number, row in label_studio.predictions.items():
        label_studio.annotate(row["task"], row["result"], parent_prediction=number)
    if rolled_back:  # a release of before is still told apart
        catalog.versions.rollback()
    reconcile(catalog, client, 7)
    corrections = catalog.corrections.current()
    assert {row.slice_id: row.model_version for row in corrections} == versions
    assert {row.prediction_id for row in corrections} == {
        catalog.predictions.of_slice(one, version).id  # type: ignore[union-attr]
        for one, version in versions.items()
    }
    assert {row.changed_fraction for row in corrections} == {0.0}


def test_study_tasks_too_are_of_the_version_that_serves_the_study(
    catalog: Catalog,
    champion: Champion,
    backend: Backend,
    versions: dict[int, str],
    label_studio: Any,
    study_xml: str,
    tmp_path: Path,
) -> None:
    label_studio.project["label_config"] = study_xml
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    catalog.versions.serve_open_studies("v2")
    preannotate(catalog, champion, client, 7, choices=EVERYBODY_SEES)
    rows = shown(label_studio, MIXED)
    assert [painted(rows[task]) for task in (1, 2)] == [[PAINTED_BY[one]] * 2 for one in ("base-1", "v2")]
    asked = [{"id": task, "data": label_studio.tasks[task]} for task in (1, 2)]
    answers = LungLoopModel(backend, study_xml).predict(asked)
    assert [{**answer, "task": task} for task, answer in enumerate(answers, 1)] == [rows[1], rows[2]]
    for number, row in list(label_studio.predictions.items()):
        label_studio.annotate(row["task"], row["result"][:1], parent_prediction=number)
    reconcile(catalog, client, 7)
    corrected = {row.slice_id: row for row in catalog.corrections.all() if row.label_map_path}
    assert {one: row.model_version for one, row in corrected.items()} == {
        one: versions[one] for one in corrected
    }
    assert {row.model_version for row in corrected.values()} == {"base-1", "v2"}
    assert all(row.prediction_id for row in corrected.values())


def test_predict_answers_by_study_and_an_unknown_picture_by_the_champion(
    catalog: Catalog,
    champion: Champion,
    backend: Backend,
    versions: dict[int, str],
    label_studio: Any,
    tasks: dict[int, int],
    slice_xml: str,
    tmp_path: Path,
) -> None:
    from PIL import Image

    catalog.versions.serve_open_studies("v2")
    picture = np.full((SIDE, SIDE), 20, np.uint8)
    picture[5:9, 5:9] = 150
    Image.fromarray(picture).save(tmp_path / "unknown.png")
    model = LungLoopModel(backend, slice_xml)
    asked = [{"id": task, "data": label_studio.tasks[task]} for task in tasks.values()]
    unknown = {"id": 99, "data": {"image": "/data/local-files/?d=unknown.png"}}
    *answers, of_nobody = model.predict([*asked, unknown])
    assert [painted(answer) for answer in answers] == [[PAINTED_BY[one]] for one in versions.values()]
    assert painted(of_nobody) == [PAINTED_BY["base-1"]]
    assert {answer["model_version"] for answer in (*answers, of_nobody)} == {MIXED}
    assert model.setup() == MIXED

    preannotate(catalog, champion, label_studio.client(), 7, choices=EVERYBODY_SEES)
    rows = shown(label_studio, MIXED)
    assert [
        {**answer, "task": task["id"]} for task, answer in zip(asked, model.predict(asked), strict=True)
    ] == [rows[task["id"]] for task in asked]
    (failed,) = model.predict([{"id": 5}])
    assert failed["model_version"] == f"{MIXED} failed"


def test_networks_that_no_longer_serve_are_let_go(
    catalog: Catalog, champion: Champion, versions: dict[int, str]
) -> None:
    catalog.versions.serve_open_studies("v2")
    first = champion.segmenter()
    assert champion.segmenter("v2").version == "v2"
    assert champion.segmenter() is first
    catalog.versions.register("v3", "v2", None)
    catalog.versions.set_champion("v3")
    assert champion.segmenter().version == "v3"
    assert set(champion._loaded) == {"v3"}
