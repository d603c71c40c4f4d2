import numpy as np
import pytest

from chestct.errors import TrainingDataError, UnfitSampleError
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.partial_labels import from_label_map, from_masks
from training.data.dataset import TrainingSample, sampling_weights


def sample(label: int = 0, *, source: str = "a", patient: str = "p", name: str = "s") -> TrainingSample:
    label_map = np.zeros((4, 4), np.uint8)
    label_map[0, 0] = label
    return TrainingSample(np.zeros((4, 4), np.float32), from_label_map(label_map), source, patient, name)


def test_sources_get_equal_shares_whatever_their_number_of_slices():
    samples = [sample(source="big", patient=str(index)) for index in range(9)] + [sample(source="small")]
    weights = sampling_weights(samples, {})
    assert weights[:9].sum() == pytest.approx(0.5)
    assert weights[9] == pytest.approx(0.5)


def test_given_shares_are_kept():
    weights = sampling_weights([sample(source="old"), sample(source="new")], {"old": 1.0, "new": 3.0})
    assert weights == pytest.approx([0.25, 0.75])


def test_slices_with_the_rare_classes_are_drawn_oftener():
    healthy, ground_glass, consolidation = sampling_weights(
        [sample(Label.LUNG), sample(Label.GROUND_GLASS), sample(Label.CONSOLIDATION)], {}
    )
    assert healthy < ground_glass < consolidation


def test_many_slices_of_one_patient_do_not_drown_the_others():
    samples = [sample(patient="many", name=str(index)) for index in range(100)] + [sample(patient="one")]
    weights = sampling_weights(samples, {})
    # The root of 100 slices against the root of 1.
    assert weights[:100].sum() / weights[100] == pytest.approx(10)


def test_a_lesion_of_unknown_kind_is_a_lesion():
    lesion = np.zeros((4, 4), bool)
    lesion[1, 1] = True
    unknown_kind = TrainingSample(np.zeros((4, 4), np.float32), from_masks(lesion, None), "a", "p", "s")
    assert unknown_kind.shows_lesion()
    assert not unknown_kind.shows(Label.GROUND_GLASS)


def test_no_samples_is_a_clear_error():
    with pytest.raises(TrainingDataError, match="no training sample"):
        sampling_weights([], {})


def test_shares_that_leave_nothing_are_a_clear_error():
    with pytest.raises(TrainingDataError, match="share 0"):
        sampling_weights([sample()], {"a": 0.0})


def test_image_and_mask_must_be_of_one_shape():
    with pytest.raises(TrainingDataError, match="of one shape"):
        TrainingSample(np.zeros((4, 4), np.float32), np.zeros((4, 5), np.uint8), "a", "p", "s")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 255.0])
def test_pixels_outside_the_unit_range_are_refused(bad):
    known = from_label_map(np.zeros((4, 4), np.uint8))
    with pytest.raises(UnfitSampleError, match=r"^s: .*\[0, 1\]"):
        TrainingSample(np.full((4, 4), bad, np.float32), known, "a", "p", "s")


@pytest.mark.parametrize(("label", "named"), [(4, "label 4"), (7, "label 7"), (9, "labels above 7")])
def test_a_mask_with_a_value_that_is_no_label_is_refused(label, named):
    with pytest.raises(UnfitSampleError, match=f"{named} in 1 pixels; expected labels 0 to 3"):
        sample(label)


def test_hu_go_through_the_lung_window():
    pixels = np.array([[-2000, -1350], [-600, 150]], np.int16)
    made = TrainingSample.of_slice(
        pixels, Intensity.HU, from_label_map(np.zeros((2, 2), np.uint8)), source="a", patient="p", name="s"
    )
    assert made.image == pytest.approx(np.array([[0, 0], [0.5, 1]]))
