"""A slice that looks like a test patient's is not learned from, and a person is told which."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from chestct.acquisition.fingerprint import fingerprint, thumbnail
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.formats.layouts import discover
from chestct.intensity import Intensity, as_picture
from chestct.labels import Split
from chestct.study import Study
from training.data.near_copies import NEAR_BITS, NEAR_CORRELATION
from training.data.snapshot import NearCopy, Snapshot, near_copy_sentence
from training.data.snapshot_choice import take_snapshot

Picture = npt.NDArray[np.uint8]
SIZE = 128
SHARED_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "covid-ct-seg"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as catalog:
        yield catalog


def waves(frequency: float, seed: int = 0) -> Picture:
    """A smooth picture with contrast, of its own for every frequency; `seed` adds one grey level of noise."""
    row, column = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    levels = 128 + 90 * np.sin(6.3 * frequency * column + 2 * row) * np.cos(3.1 * row * frequency)
    return (levels + np.random.default_rng(seed).integers(0, 2, levels.shape)).astype(np.uint8)


def admit(catalog: Catalog, patient: str, split: Split, pictures: list[Picture]) -> None:
    study = Study(patient, patient, pictures, Intensity.PICTURE, Path("/nowhere"), split=split)
    record, _ = catalog.studies.add(study, "images")
    for item in catalog.slices.of_study(record.id):
        catalog.corrections.add(
            slice_id=item.id,
            project_uid="1:t",
            task_id=item.id,
            annotation_id=item.id,
            annotation_updated_at="2026-01-01T00:00:00Z",
            state=CorrectionState.SUBMITTED,
            annotator="a",
            via="test",
            label_map=np.full((SIZE, SIZE), 1, np.uint8),
        )


def test_a_near_copy_of_a_test_patient_s_slice_is_left_out_and_named(catalog: Catalog) -> None:
    admit(catalog, "learner", Split.TRAIN, [waves(1.0, seed=1), waves(2.0)])
    admit(catalog, "tested", Split.TEST, [waves(3.0), waves(1.0, seed=2)])
    taken = take_snapshot(catalog, "v")
    assert taken.near_copies == (NearCopy("learner", 0, "tested", 1),)
    assert [item.index for item in taken.corrections] == [1]
    assert taken.left_out == 0  # the pixels are not the very same
    assert Snapshot.from_json(taken.as_json()) == taken
    assert near_copy_sentence(taken) == (
        "not learned from, for they look like a test patient's slices (one person under two names?): "
        "learner slice 0 like tested slice 1"
    )


def test_a_like_fingerprint_alone_leaves_nothing_out(catalog: Catalog) -> None:
    # Each of nine cells is brighter than the one before: all bits are set. But by other amounts.
    cell = np.arange(SIZE) * 9 // SIZE
    even, steep = np.array([20 * n for n in range(9)]), np.array([*(6 * n for n in range(8)), 250])
    one, other = (np.tile(levels[cell], (SIZE, 1)).astype(np.uint8) for levels in (even, steep))
    admit(catalog, "learner", Split.TRAIN, [one])
    admit(catalog, "tested", Split.TEST, [other])
    assert fingerprint(one) == fingerprint(other) == 2**64 - 1
    assert float(thumbnail(one) @ thumbnail(other)) < NEAR_CORRELATION
    assert take_snapshot(catalog, "v").near_copies == ()


def test_pictures_without_contrast_are_no_copies_of_each_other(catalog: Catalog) -> None:
    admit(catalog, "learner", Split.TRAIN, [np.full((SIZE, SIZE), 7, np.uint8)])
    admit(catalog, "tested", Split.TEST, [np.full((SIZE, SIZE), 9, np.uint8)])
    assert take_snapshot(catalog, "v").near_copies == ()


def test_the_sentence_names_five_and_counts_the_rest() -> None:
    copies = tuple(NearCopy("a", index, "b", index) for index in range(7))
    said = near_copy_sentence(Snapshot("v", (), (), (), near_copies=copies))
    assert "a slice 4 like b slice 4; and 2 more" in said
    assert near_copy_sentence(Snapshot("v", (), (), ())) == ""


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the research data are not here")
def test_slices_of_different_patients_are_not_refused_for_looking_alike() -> None:
    seen: list[tuple[str, int, npt.NDArray[np.float32]]] = []
    for study in discover([SHARED_DATA], "covid-ct-seg"):
        assert isinstance(study, Study)
        for index in range(0, len(study.slices), 10):
            picture = as_picture(study.slices[index], study.intensity)
            seen.append((study.patient, fingerprint(picture), thumbnail(picture)))
    fired = [
        float(small @ other_small)
        for number, (patient, bits, small) in enumerate(seen)
        for other, other_bits, other_small in seen[:number]
        if patient != other and (bits ^ other_bits).bit_count() <= NEAR_BITS
    ]
    assert fired, "fingerprints alone do refuse some"
    assert max(fired) < NEAR_CORRELATION - 0.05
