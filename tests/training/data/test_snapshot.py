"""A snapshot never mixes the sides of the split, and the same data always has the same name."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chestct import partial_labels
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.intensity import Intensity
from chestct.labels import Label, Split
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
    assert taken.phantom_seeds == ()


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


def test_too_few_records_are_topped_up_with_the_champions_surest_predictions(catalog: Catalog) -> None:
    slices = _add_study(catalog, "p", Split.TRAIN, slices=5)
    for slice_id in slices[:2]:
        _correct(catalog, slice_id)
    for slice_id, score in zip(slices, (0.99, 0.98, 0.5, 0.9, 0.7), strict=True):
        _predict(catalog, slice_id, score)
    replay = take_snapshot(catalog, "base-1").replay
    assert [item.slice_id for item in replay] == [slices[3], slices[4]]
    assert {item.truth for item in replay} == {Truth.DISTILLED}


def test_without_frozen_patients_phantoms_stand_in(catalog: Catalog) -> None:
    _add_study(catalog, "p", Split.TRAIN, labelled=1)
    taken = take_snapshot(catalog, "v")
    assert (taken.test, taken.phantom_seeds) == ((), PHANTOM_SEEDS)


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
    assert [sample.source for sample in samples] == ["correction", "correction", "record"]
    assert [int(sample.partial_labels[0, 0]) for sample in samples] == [
        int(partial_labels.NOT_LESION),  # no lesion drawn: background or lung, nobody said
        int(partial_labels.bits(Label.GROUND_GLASS)),
        int(partial_labels.bits(Label.BACKGROUND)),
    ]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    patients=some.dictionaries(
        some.sampled_from("abcdefgh"), some.tuples(some.booleans(), some.integers(0, 2), some.integers(0, 2))
    )
)
def test_no_patient_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, patients: dict[str, tuple[bool, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("sides")
    with Catalog.open(f"sqlite:///{folder / 'catalog.sqlite3'}", str(folder / "storage")) as catalog:
        for patient, (is_test, labelled, corrected) in patients.items():
            split = Split.TEST if is_test else Split.TRAIN
            for slice_id in _add_study(catalog, patient, split, labelled=labelled)[:corrected]:
                _correct(catalog, slice_id)
        taken: Snapshot = take_snapshot(catalog, "v")
    learned_from = {item.patient for item in (*taken.corrections, *taken.replay, *taken.calibration)}
    assert not learned_from & {item.patient for item in taken.test}
    assert all(patients[patient][0] for patient in {item.patient for item in taken.test})
