"""A snapshot never mixes the sides of the split, and the same data always has the same name."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chestct import partial_labels
from chestct.acquisition.allocation import TEST_SLICE
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.catalog.splits import OwnTesting
from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label, Split
from chestct.prediction import SlicePrediction
from chestct.study import Study
from training.data import snapshot as snapshots
from training.data.snapshot import Snapshot, Truth, store
from training.data.snapshot_choice import PHANTOM_SEEDS, take_snapshot
from training.data.snapshot_samples import load_retrain_samples

SIZE = 64
_annotation_ids = iter(range(1, 10_000))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as catalog:
        yield catalog


def _add_study(
    catalog: Catalog, patient: str, split: Split, slices: int = 2, labelled: int = 0, fill: int | None = None
) -> list[int]:
    """Slice ids of a study whose first `labelled` slices have labels of record."""
    pixels = [
        np.full((SIZE, SIZE), hash_of(patient, index) if fill is None else fill, dtype=np.uint8)
        for index in range(slices)
    ]
    study, _ = catalog.studies.add(
        Study(
            name=f"study of {patient}",
            patient=patient,
            slices=pixels,
            intensity=Intensity.PICTURE,
            source=Path("/nowhere"),
            partial_labels={
                index: partial_labels.from_label_map(np.zeros((SIZE, SIZE), np.uint8))
                for index in range(labelled)
            },
            split=split,
        ),
        "images",
    )
    return [item.id for item in catalog.slices.of_study(study.id)]


def hash_of(patient: str, index: int) -> int:
    """A grey level that differs between the few slices of these tests."""
    return (sum(map(ord, patient)) * 7 + index) % 251


def _correct(
    catalog: Catalog,
    slice_id: int,
    label: Label = Label.GROUND_GLASS,
    annotator: str = "a",
    updated_at: str = "2026-01-01T00:00:00Z",
    ground_truth: bool = False,
    state: CorrectionState = CorrectionState.SUBMITTED,
    annotation_id: int | None = None,
    model_version: str | None = None,
) -> int:
    submitted = state is CorrectionState.SUBMITTED
    annotation_id = next(_annotation_ids) if annotation_id is None else annotation_id
    correction, _ = catalog.corrections.add(
        slice_id=slice_id,
        project_uid="1:t",
        task_id=slice_id,
        annotation_id=annotation_id,
        annotation_updated_at=updated_at,
        state=state,
        annotator=annotator,
        via="test",
        label_map=np.full((SIZE, SIZE), label, np.uint8) if submitted else None,
        ground_truth=ground_truth,
        model_version=model_version,
    )
    return correction.id


def _predict(catalog: Catalog, slice_id: int, score: float, version: str = "base-1") -> None:
    catalog.predictions.add(
        slice_id, version, SlicePrediction(np.zeros((SIZE, SIZE), np.uint8), score, 0.1), seconds=0.0
    )


def test_corrections_teach_and_records_of_test_patients_test(catalog: Catalog) -> None:
    first, second = _add_study(catalog, "learner", Split.TRAIN, labelled=2)
    frozen = _add_study(catalog, "frozen", Split.TEST, labelled=2)
    correction = _correct(catalog, first)
    taken = take_snapshot(catalog, "base-1")
    assert [(item.slice_id, item.correction_id) for item in taken.corrections] == [(first, correction)]
    # The corrected slice is not replayed with its old labels.
    assert [(item.slice_id, item.truth) for item in taken.replay] == [(second, Truth.REFERENCE)]
    assert [item.slice_id for item in taken.test] == frozen
    assert taken.phantom_seeds == PHANTOM_SEEDS


def test_a_correction_of_a_test_patient_enters_neither_side(catalog: Catalog) -> None:
    frozen = _add_study(catalog, "frozen", Split.TEST, labelled=1)
    for slice_id in frozen:
        _correct(catalog, slice_id)
    taken = take_snapshot(catalog, "base-1")
    assert taken.corrections == ()
    assert [item.slice_id for item in taken.test] == frozen[:1]


def test_pixels_that_a_test_patient_has_too_are_left_out_of_training(catalog: Catalog) -> None:
    copied = _add_study(catalog, "learner", Split.TRAIN, slices=1, labelled=1, fill=9)
    # One slice more makes it another study, with one slice of the very same pixels.
    _add_study(catalog, "frozen", Split.TEST, slices=2, labelled=2, fill=9)
    _correct(catalog, copied[0])
    taken = take_snapshot(catalog, "base-1")
    assert (taken.corrections, taken.replay, taken.left_out) == ((), (), 1)


def test_the_newest_correction_of_a_slice_counts(catalog: Catalog) -> None:
    (slice_id,) = _add_study(catalog, "p", Split.TRAIN, slices=1)
    _correct(catalog, slice_id, annotator="a", updated_at="2026-01-02T00:00:00Z")
    newest = _correct(catalog, slice_id, annotator="b", updated_at="2026-01-03T00:00:00Z")
    assert [item.correction_id for item in take_snapshot(catalog, "v").corrections] == [newest]


def test_a_ground_truth_beats_a_newer_correction_of_somebody_else(catalog: Catalog) -> None:
    (slice_id,) = _add_study(catalog, "p", Split.TRAIN, slices=1)
    truth = _correct(catalog, slice_id, annotator="a", ground_truth=True)
    _correct(catalog, slice_id, annotator="b", updated_at="2026-01-03T00:00:00Z")
    assert [item.correction_id for item in take_snapshot(catalog, "v").corrections] == [truth]


def test_a_deleted_correction_teaches_nothing(catalog: Catalog) -> None:
    (slice_id,) = _add_study(catalog, "p", Split.TRAIN, slices=1)
    _correct(catalog, slice_id, annotation_id=77_777)
    _correct(
        catalog,
        slice_id,
        annotation_id=77_777,
        updated_at="2026-01-05T00:00:00Z",
        state=CorrectionState.DELETED,
    )
    assert take_snapshot(catalog, "v").corrections == ()


def test_too_few_records_are_topped_up_with_predictions_of_all_kinds_of_slices(catalog: Catalog) -> None:
    slices = _add_study(catalog, "p", Split.TRAIN, slices=5)
    for slice_id in slices[:2]:
        _correct(catalog, slice_id)
    for slice_id, score in zip(slices, (0.99, 0.98, 0.5, 0.9, 0.7), strict=True):
        _predict(catalog, slice_id, score)
    replay = take_snapshot(catalog, "base-1").replay
    # Whatever the champion is sure of: drawn by the slices' hashes.
    uncorrected = [catalog.slices.get(slice_id) for slice_id in slices[2:]]
    drawn = sorted(uncorrected, key=lambda item: item.key)[:2]
    assert [item.slice_id for item in replay] == [item.id for item in drawn]
    assert {item.truth for item in replay} == {Truth.DISTILLED}


@pytest.mark.parametrize("frozen", [0, 1])
def test_phantoms_are_an_alarm_beside_test_patients_and_never_stand_among_them(
    catalog: Catalog, frozen: int
) -> None:
    _add_study(catalog, "p", Split.TRAIN, labelled=1)
    _add_study(catalog, "q", Split.TEST, slices=1, labelled=frozen)
    catalog.versions.ensure_base("v")
    taken = take_snapshot(catalog, "v")
    assert (len(taken.test), taken.phantom_seeds) == (frozen, PHANTOM_SEEDS)
    samples = load_retrain_samples(catalog, store(catalog, taken))
    assert [sample.source for sample in samples.test] == ["record"] * frozen
    assert {sample.source for sample in samples.phantoms} == {"phantom"}
    older = load_retrain_samples(catalog, store(catalog, replace(taken, phantom_seeds=())))
    assert len(older.phantoms) == len(samples.phantoms)


def _own_test_patients(catalog: Catalog) -> list[int]:
    """Twelve patients of ten slices without labels, three of them held back; the ids of their test slices."""
    for number in range(12):
        rng = np.random.default_rng(number)
        slices = [rng.integers(0, 256, (SIZE, SIZE), np.uint8) for _ in range(10)]
        study = Study(f"s{number}", f"p{number}", slices, Intensity.PICTURE, Path("/nowhere"))
        catalog.studies.add(study, "images")
    catalog.patients.draw_own_test_patients(OwnTesting(0.2, 3))
    return sorted(slice_id for slice_id, drawn in catalog.allocations.all().items() if drawn == TEST_SLICE)


def test_unassisted_readings_of_test_slices_judge_and_never_teach(catalog: Catalog) -> None:
    test_ids = _own_test_patients(catalog)
    unassisted, shown, *_ = test_ids
    _predict(catalog, shown, 0.9)
    reading = _correct(catalog, unassisted)
    _correct(catalog, shown, model_version="base-1")
    held_back = [one.id for one in catalog.slices.all(Split.TEST) if one.id not in test_ids]
    _correct(catalog, held_back[0])
    _predict(catalog, held_back[1], 0.99)
    learner = catalog.slices.all(Split.TRAIN)[0].id
    _correct(catalog, learner)
    catalog.versions.ensure_base("base-1")
    taken = take_snapshot(catalog, "base-1")
    assert [(item.slice_id, item.truth, item.correction_id) for item in taken.test] == [
        (unassisted, Truth.TEST_READING, reading)
    ]
    assert [item.slice_id for item in taken.corrections] == [learner]
    assert taken.replay == ()
    samples = load_retrain_samples(catalog, store(catalog, taken))
    (sample,) = samples.test
    assert (sample.source, sample.patient) == ("test reading", catalog.slices.get(unassisted).patient)
    # Lesions are named, and what is around them is background or lung, as of any correction.
    assert int(sample.partial_labels[0, 0]) == int(partial_labels.bits(Label.GROUND_GLASS))


def test_a_test_slice_with_reference_labels_too_is_tested_once_by_its_reading(catalog: Catalog) -> None:
    test_ids = _own_test_patients(catalog)
    _correct(catalog, test_ids[0])
    one = catalog.slices.get(test_ids[0])
    study = catalog.studies.get(one.study_id)
    pixels = [catalog.slices.read_pixels(item) for item in catalog.slices.of_study(study.id)]
    labels = {
        index: partial_labels.from_label_map(np.zeros((SIZE, SIZE), np.uint8)) for index in range(len(pixels))
    }
    again = Study(
        study.name, study.patient, pixels, Intensity.PICTURE, Path("/nowhere"), partial_labels=labels
    )
    catalog.studies.add(again, "images")
    test = take_snapshot(catalog, "v").test
    assert len({item.slice_id for item in test}) == len(test) == 10
    assert {item.slice_id for item in test if item.truth is Truth.TEST_READING} == {test_ids[0]}


def test_a_snapshot_from_before_own_test_patients_is_still_read(catalog: Catalog) -> None:
    _add_study(catalog, "p", Split.TRAIN, labelled=1)
    taken = take_snapshot(catalog, "v")
    stored = json.loads(taken.as_json())
    del stored["near_copies"]
    assert Snapshot.from_json(json.dumps(stored).encode()) == taken


def test_the_same_data_has_the_same_name_and_survives_its_file(catalog: Catalog) -> None:
    first, second = _add_study(catalog, "p", Split.TRAIN)
    _correct(catalog, first)
    taken = take_snapshot(catalog, "v")
    assert take_snapshot(catalog, "v").id == taken.id
    assert snapshots.store(catalog, taken) == taken.id
    assert snapshots.read(catalog, taken.id) == taken
    _correct(catalog, second)
    assert take_snapshot(catalog, "v").id != taken.id


def test_a_lesson_is_what_was_drawn_not_when_or_for_which_champion(catalog: Catalog) -> None:
    (slice_id,) = _add_study(catalog, "p", Split.TRAIN, slices=1)
    _correct(catalog, slice_id)
    learned = take_snapshot(catalog, "v1").learned
    _correct(catalog, slice_id, updated_at="2026-02-01T00:00:00Z")
    assert take_snapshot(catalog, "v2").learned == learned
    _correct(catalog, slice_id, Label.CONSOLIDATION, updated_at="2026-03-01T00:00:00Z")
    assert take_snapshot(catalog, "v2").learned != learned


def test_samples_say_what_each_truth_knows(catalog: Catalog) -> None:
    slices = _add_study(catalog, "p", Split.TRAIN, slices=3, labelled=1)
    _correct(catalog, slices[1], Label.BACKGROUND)
    _correct(catalog, slices[2], Label.GROUND_GLASS)
    catalog.versions.ensure_base("v")
    samples = load_retrain_samples(catalog, store(catalog, take_snapshot(catalog, "v"))).learned
    assert [sample.source for sample in samples][:4] == ["correction", "correction", "record", "phantom"]
    assert [int(sample.partial_labels[0, 0]) for sample in samples[:3]] == [
        int(partial_labels.NOT_LESION),  # no lesion drawn: background or lung, nobody said
        int(partial_labels.bits(Label.GROUND_GLASS)),
        int(partial_labels.bits(Label.BACKGROUND)),
    ]


def test_the_champions_lungs_are_learned_with_a_correction_and_not_scored(catalog: Catalog) -> None:
    slices = _add_study(catalog, "p", Split.TRAIN, slices=2)
    _correct(catalog, slices[0], Label.BACKGROUND)
    catalog.versions.ensure_base("base-1")
    size = (catalog.slices.get(slices[0]).height, catalog.slices.get(slices[0]).width)
    for slice_id in slices:
        lungs = np.full(size, np.uint8(Label.LUNG))
        lungs[0, 0] = Label.GROUND_GLASS
        lungs[0, 1] = Label.BACKGROUND
        catalog.predictions.add(slice_id, "base-1", SlicePrediction(lungs, score=0.5, entropy_mean=0.1))
    samples = load_retrain_samples(catalog, store(catalog, take_snapshot(catalog, "base-1")))
    (corrected,) = samples.corrected
    lung, background = (int(partial_labels.bits(label)) for label in (Label.LUNG, Label.BACKGROUND))
    # The reader saw no lesion where the champion had one: it is lung.
    assert corrected.sample.partial_labels[0, :3].tolist() == [lung, background, lung]
    assert set(corrected.as_read.partial_labels.ravel().tolist()) == {int(partial_labels.NOT_LESION)}
    # The open slice of the same study teaches lungs alone: its lesions are the readers' to teach.
    (open_slice,) = [sample for sample in samples.replay if sample.source == "distilled"]
    inside = int(partial_labels.bits(Label.LUNG, *LESIONS))
    assert open_slice.partial_labels[0, :3].tolist() == [inside, background, inside]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    patients=some.dictionaries(
        some.sampled_from("abcdefgh"), some.tuples(some.booleans(), some.integers(0, 2), some.integers(0, 2))
    ),
    own=some.sets(some.integers(0, 11)),
)
def test_no_patient_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, patients: dict[str, tuple[bool, int, int]], own: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("sides")
    with Catalog.open(f"sqlite:///{folder / 'catalog.sqlite3'}", str(folder / "storage")) as catalog:
        for patient, (is_test, labelled, corrected) in patients.items():
            split = Split.TEST if is_test else Split.TRAIN
            for slice_id in _add_study(catalog, patient, split, labelled=labelled)[:corrected]:
                _correct(catalog, slice_id)
        test_ids = _own_test_patients(catalog)
        for number in own:
            for item in catalog.slices.of_study(catalog.studies.by_name(f"s{number}").id)[:5]:
                _correct(catalog, item.id)
                _predict(catalog, item.id, 0.9, "v")
        taken: Snapshot = take_snapshot(catalog, "v")
        test_patients = {item.patient for item in catalog.slices.all(Split.TEST)}
        readings = {reading.slice_id for reading in catalog.own_test_readings.all()}
    learned_from = {item.patient for item in (*taken.corrections, *taken.replay, *taken.calibration)}
    assert not learned_from & test_patients
    assert {item.patient for item in taken.test} <= test_patients
    assert {item.slice_id for item in taken.test if item.truth is Truth.TEST_READING} == readings
    assert readings <= set(test_ids)
