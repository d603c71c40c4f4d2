import hashlib
import time

import numpy as np
import pytest

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats.mosmed import read_mosmed
from chestct.formats.nifti import read_label_map_nifti
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.phantoms import LOW_DOSE_RETICULAR, USUAL, phantom_study, write_phantoms, written_truth
from chestct.study import Study

SMALL = (8, 128, 128)
BOUNDS_PERCENT = {"CT-0": (0, 0), "CT-1": (1, 25), "CT-2": (25, 50), "CT-3": (50, 75), "CT-4": (75, 100)}

# Of phantom_study(7, CT-3, SMALL): pixels by label, and HU along a row of slice 3.
USUAL_COUNTS = [109812, 6688, 2634, 11938]
USUAL_ROW_HU = [-574, -624, -524, -641, -626, -588, 21, 46, 46, 49, 33, 24, 8, -228, -813, -653, -699]


@pytest.fixture(scope="module")
def phantom():
    return phantom_study(7, SeverityGrade.CT_3, SMALL)


@pytest.mark.parametrize("grade", list(SeverityGrade))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_worse_lung_is_as_involved_as_the_grade_says(grade, seed):
    low, high = BOUNDS_PERCENT[grade]
    worst = 100 * max(phantom_study(seed, grade, SMALL).involvement)
    assert low <= worst <= high
    assert grade is SeverityGrade.CT_0 or low + 1 < worst < high - 1


def test_the_same_seed_gives_the_same_voxels_and_another_seed_others(phantom):
    again, other = phantom_study(7, SeverityGrade.CT_3, SMALL), phantom_study(8, SeverityGrade.CT_3, SMALL)
    assert np.array_equal(np.stack(again.study.slices), np.stack(phantom.study.slices))
    assert np.array_equal(again.label_map, phantom.label_map)
    assert not np.array_equal(other.label_map, phantom.label_map)


def test_geometry_is_mosmeds_8_mm_apart_foot_first_las():
    geometry = phantom_study(1, shape=(36, 32, 32)).geometry
    assert geometry.spacing_mm[0] == pytest.approx(8.0)
    assert geometry.stored_shape == (32, 32, 36)
    assert not geometry.head_first
    assert np.array_equal(np.sign(np.diag(geometry.affine)), [-1, 1, 1, 1])


def test_tissues_have_the_hu_of_tissues(phantom):
    hu = np.stack(phantom.study.slices)
    medians = {label: np.median(hu[phantom.label_map == label]) for label in Label}
    assert -900 < medians[Label.LUNG] < -780
    assert -620 < medians[Label.GROUND_GLASS] < -380
    assert -50 < medians[Label.CONSOLIDATION] < 50
    assert hu.dtype == np.int16
    assert hu.min() >= -1024
    assert (hu > 300).mean() > 0.005  # bone
    assert np.median(hu[:, :6, :6]) < -950  # air around the patient


def test_lungs_are_two_with_the_heart_between_and_more_on_the_patients_left(phantom):
    lung = phantom.label_map > 0
    per_slice = lung.mean(axis=(1, 2))
    assert per_slice[4] > 0.2
    assert per_slice[4] > 2 * per_slice[-1]
    low = lung[2] | lung[3]  # the heart's level
    assert low[:, :64].sum() > low[:, 64:].sum()
    assert not lung[4, :, 62:66].any()  # windpipe, spine and vessels between the lungs


def test_labels_of_record_are_the_truth_of_every_slice(phantom):
    study = phantom.labelled_study()
    assert not phantom.study.partial_labels
    assert np.array_equal(study.partial_labels[3], partial_labels.from_label_map(phantom.label_map[3]))
    assert len(study.partial_labels) == SMALL[0]


@pytest.mark.parametrize("shape", [(1, 64, 64), (8, 64, 128), (8, 100, 100), (8, 16, 16)])
def test_an_unusable_shape_is_refused(shape):
    with pytest.raises(InputError, match="expected 2 slices"):
        phantom_study(0, shape=shape)


def test_a_small_phantom_takes_a_moment_only():
    started = time.process_time()
    phantom_study(3, shape=SMALL)
    assert time.process_time() - started < 1.0  # 0.1 s; the rest is for busy machines


def test_written_phantoms_are_read_back_voxel_by_voxel_with_two_of_three_labelled(tmp_path):
    seen = []
    paths = write_phantoms(
        tmp_path, 6, seed=5, shape=SMALL, on_progress=lambda now: seen.append((now.done, now.total))
    )
    studies = [item for item in read_mosmed(tmp_path) if isinstance(item, Study)]
    assert seen == [(count, 6) for count in range(1, 7)]
    assert [study.source for study in studies] == list(paths)
    assert [study.grade for study in studies] == ["CT-1", "CT-2", "CT-0", "CT-3", "CT-1", "CT-2"]
    assert [len(study.partial_labels) for study in studies] == [8, 8, 0, 8, 8, 0]
    truth = phantom_study(6, SeverityGrade.CT_2, SMALL)
    assert np.array_equal(np.stack(studies[1].slices), np.stack(truth.study.slices))
    assert studies[1].geometry is not None
    assert np.array_equal(studies[1].geometry.affine, truth.geometry.affine)
    lesion, decided = partial_labels.membership(studies[1].partial_labels[2], LESIONS)
    assert decided.all()
    assert np.array_equal(lesion, np.isin(truth.label_map[2], LESIONS))


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_half_done(tmp_path):
    def digest() -> dict[str, str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    write_phantoms(tmp_path, 1, shape=(2, 32, 32))
    first = digest()
    write_phantoms(tmp_path, 1, shape=(2, 32, 32))
    assert digest() == first
    assert set(first) == {"study_0001.nii.gz", "study_0001_labels.nii.gz", "dataset_registry.csv"}


def test_the_usual_look_is_the_phantom_of_every_release():
    phantom = phantom_study(7, SeverityGrade.CT_3, SMALL)
    hu = np.stack(phantom.study.slices)
    # As made before there were looks; NumPy's last digit differs between processors, so HU may by 1.
    counts = np.bincount(phantom.label_map.ravel(), minlength=4)
    np.testing.assert_allclose(counts, USUAL_COUNTS, atol=4)
    np.testing.assert_allclose(hu[3, 64, 30:98:4], USUAL_ROW_HU, atol=1)
    again = phantom_study(7, SeverityGrade.CT_3, SMALL, look=USUAL)
    assert np.array_equal(np.stack(again.study.slices), hu)


def test_another_look_keeps_grade_and_anatomy_and_changes_what_lesions_look_like():
    usual, other = (
        phantom_study(7, SeverityGrade.CT_2, SMALL, look=look) for look in (USUAL, LOW_DOSE_RETICULAR)
    )
    assert 25 < 100 * max(other.involvement) < 50
    assert np.array_equal(usual.label_map > 0, other.label_map > 0)
    glass = [
        np.median(np.stack(phantom.study.slices)[phantom.label_map == Label.GROUND_GLASS])
        for phantom in (usual, other)
    ]
    assert glass[1] < glass[0] - 60, "fainter"
    lung = np.median(np.stack(other.study.slices)[other.label_map == Label.LUNG])
    assert glass[1] > lung + 60, "but to be seen"


def test_truth_that_lies_apart_is_no_reference_label(tmp_path):
    paths = write_phantoms(tmp_path, 3, seed=5, shape=SMALL, look=LOW_DOSE_RETICULAR, truth_apart=True)
    studies = [item for item in read_mosmed(tmp_path) if isinstance(item, Study)]
    assert [study.source for study in studies] == list(paths)
    assert not any(study.partial_labels for study in studies)
    for number, path in enumerate(paths):
        file = written_truth(path)
        assert file is not None
        truth = phantom_study(5 + number, studies[number].grade, SMALL, look=LOW_DOSE_RETICULAR)
        assert np.array_equal(read_label_map_nifti(file)[0], truth.label_map)


def test_the_truth_of_phantoms_with_reference_labels_is_those(tmp_path):
    labelled, _, unlabelled = write_phantoms(tmp_path, 3, shape=(2, 32, 32))
    assert written_truth(labelled) == tmp_path / "labels" / "study_0001_labels.nii.gz"
    assert written_truth(unlabelled) is None


def test_no_phantoms_is_refused(tmp_path):
    with pytest.raises(InputError, match="1 phantom or more"):
        write_phantoms(tmp_path, 0)
