import numpy as np
import pytest

from chestct.errors import InputError, NotFoundError
from chestct.prediction import SlicePrediction


def test_a_prediction_is_kept_with_its_fractions_of_the_lung(catalog, one_slice):
    label_map = np.array([[0, 0, 0, 0], [1, 1, 3, 3], [2, 3, 3, 3], [0, 0, 0, 0]], np.uint8)
    prediction = SlicePrediction(label_map, score=0.75, entropy_mean=0.125)
    stored = catalog.predictions.add(one_slice.id, "base-1", prediction, 0.25)
    # 8 lung pixels with their lesions: 2 ground-glass, 1 consolidation.
    assert (stored.ground_glass_fraction, stored.consolidation_fraction) == (0.25, 0.125)
    assert (stored.score, stored.entropy_mean, stored.seconds) == (0.75, 0.125, 0.25)
    assert catalog.storage.read_label_map(stored.label_map_path).tolist() == label_map.tolist()
    assert catalog.predictions.of_slice(one_slice.id, "base-1") == stored
    assert catalog.predictions.by_version("base-1") == [stored]
    assert catalog.predictions.of_slice(one_slice.id, "v2") is None


def test_the_first_prediction_of_a_version_stays(catalog, one_slice, make_prediction):
    first = catalog.predictions.add(one_slice.id, "base-1", make_prediction(score=0.5))
    assert catalog.predictions.add(one_slice.id, "base-1", make_prediction(score=0.9)) == first
    other = catalog.predictions.add(one_slice.id, "v2", make_prediction(score=0.9))
    assert other.id != first.id


def test_what_lacks_a_prediction_is_what_is_left_to_do(catalog, make_study, make_prediction, correct):
    catalog.studies.add(make_study(slice_count=3), "nifti")
    first, second, third = catalog.slices.all()
    catalog.predictions.add(first.id, "base-1", make_prediction())
    correct(second.id)
    assert catalog.predictions.missing("base-1") == [second, third]
    assert catalog.predictions.missing("base-1")[:1] == [second]
    assert catalog.predictions.missing("base-1", open_only=True) == [third]
    assert catalog.predictions.missing("v2") == [first, second, third]


def test_a_prediction_of_another_shape_or_of_no_slice_is_refused(catalog, one_slice, make_prediction):
    with pytest.raises(InputError, match="shape"):
        catalog.predictions.add(one_slice.id, "base-1", SlicePrediction(np.zeros((2, 2), np.uint8), 0.5, 0.5))
    with pytest.raises(NotFoundError):
        catalog.predictions.add(99, "base-1", make_prediction())


def test_what_a_model_doubts_is_kept_with_its_picture(catalog, one_slice):
    uncertainty = np.array([[0, 255], [7, 8], [1, 2]], np.uint8)
    given = SlicePrediction(
        np.full((4, 4), 3, np.uint8), 0.5, 0.25, zone_entropy=0.5, ground_glass_entropy=0.25,
        consolidation_entropy=0.125, disagreement=float("nan"), lesion_zone=np.float32(0.75),
        uncertainty=uncertainty,
    )  # fmt: skip
    stored = catalog.predictions.add(one_slice.id, "v2", given)
    assert (stored.zone_entropy, stored.ground_glass_entropy, stored.consolidation_entropy) == (
        0.5,
        0.25,
        0.125,
    )
    assert (stored.disagreement, stored.lesion_zone) == (None, 0.75)
    assert catalog.predictions.read_uncertainty(stored).tolist() == uncertainty.tolist()
    assert catalog.predictions.of_slice(one_slice.id, "v2") == stored


def test_a_prediction_without_doubt_has_no_picture_of_it(catalog, one_slice, make_prediction):
    stored = catalog.predictions.add(one_slice.id, "v2", make_prediction())
    assert (stored.zone_entropy, stored.doubt_path, catalog.predictions.read_uncertainty(stored)) == (
        None,
        None,
        None,
    )
