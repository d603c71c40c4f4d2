import numpy as np
import pytest
import torch

from chestct.errors import SettingsError
from chestct.inference.stack import (
    Smoothing,
    boxes_between,
    in_turn,
    low_resolution_indices,
    neighbour_weights,
)
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.model.card import ModelCard
from chestct.model.views import SLICE_OF_STUDY, Views

SIDE = 64
BOX = (slice(40, 60), slice(30, 90))


class DarkIsLung(torch.nn.Module):
    """Calls dark pixels lung and bright ones background; remembers the side of every picture."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: list[int] = []

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.sides.append(pictures.shape[-1])
        dark = pictures[:, 0] < 0.5
        logits = torch.full((1, 4, *pictures.shape[-2:]), -9.0)
        logits[:, Label.BACKGROUND][~dark] = 9.0
        logits[:, Label.LUNG][dark] = 9.0
        return logits


class LeftIsLesion(torch.nn.Module):
    """Calls the left half of whatever it sees ground-glass and the right half lung."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits = torch.full((1, 4, *pictures.shape[-2:]), -9.0)
        middle = pictures.shape[-1] // 2
        logits[:, Label.GROUND_GLASS, :, :middle] = 9.0
        logits[:, Label.LUNG, :, middle:] = 9.0
        return logits


def card(**decision: object) -> ModelCard:
    return ModelCard(version="fake", architecture="unet/fake", input_size=SIDE, decision=decision)


def body(lung: tuple[slice, slice] | None = BOX) -> np.ndarray:
    """(120, 120) uint8: white with a black lung."""
    pixels = np.full((120, 120), 250, np.uint8)
    if lung is not None:
        pixels[lung] = 5
    return pixels


def test_looks_need_a_view():
    with pytest.raises(SettingsError, match="whole, lung or both"):
        Views(whole=False, lung=False)


@pytest.mark.parametrize(
    ("views", "sides"),
    [
        (Views(whole=False), [32, 64]),
        (Views(whole=True), [32, 64, 64]),
        (Views(whole=True, lung=False), [64]),
        (Views(whole=False, flip=True), [32, 64, 64]),
        (Views(whole=True, flip=True), [32, 64, 64, 64, 64]),
    ],
)
def test_a_slice_costs_a_glance_and_one_pass_for_each_view(views: Views, sides: list[int]):
    network = DarkIsLung()
    label_map = UNetSegmenter(network, card(), views=views).segment(body(), Intensity.PICTURE).label_map
    assert network.sides == sides
    found = np.argwhere(label_map == Label.LUNG)
    # The network's squares blur an edge by a pixel or two.
    assert np.abs(found.min(axis=0) - (40, 30)).max() <= 2
    assert np.abs(found.max(axis=0) - (59, 89)).max() <= 2


def test_a_slice_without_lung_is_looked_at_whole_and_mirrored():
    network = DarkIsLung()
    label_map = UNetSegmenter(network, card()).segment(body(None), Intensity.PICTURE).label_map
    assert network.sides == [32, 64, 64]
    assert (label_map == Label.BACKGROUND).all()


def test_the_card_chooses_the_looks_and_an_argument_overrules_it():
    network = DarkIsLung()
    chosen = card(looks={"whole": True, "lung": False})
    UNetSegmenter(network, chosen).segment(body(), Intensity.PICTURE)
    assert network.sides == [64]
    UNetSegmenter(network, chosen, views=SLICE_OF_STUDY).segment(body(), Intensity.PICTURE)
    assert network.sides == [64, 32, 64]


def test_a_flipped_look_is_turned_back_before_it_is_averaged():
    segmenter = UNetSegmenter(LeftIsLesion(), card(), views=Views(whole=True, lung=False, flip=True))
    probabilities = segmenter.unit_probabilities(np.zeros((SIDE, SIDE), np.float32))
    # Left in one look, right in the other: half each everywhere.
    assert probabilities[Label.GROUND_GLASS] == pytest.approx(np.full((SIDE, SIDE), 0.5), abs=1e-3)


def test_the_cards_threshold_decides_what_is_a_lesion():
    probabilities = np.array([0.0, 0.3, 0.15, 0.55], np.float32).reshape(4, 1, 1)
    network = DarkIsLung()
    assert UNetSegmenter(network, card()).label_map(probabilities) == Label.LUNG
    assert UNetSegmenter(network, card(lesion_threshold=0.4)).label_map(probabilities) == Label.GROUND_GLASS


def test_the_cards_smallest_share_joins_specks_of_a_kind():
    probabilities = np.zeros((4, 1, 200), np.float32)
    probabilities[Label.GROUND_GLASS] = 0.9
    probabilities[Label.CONSOLIDATION, 0, 7] = 1.0
    network = DarkIsLung()
    assert Label.CONSOLIDATION in UNetSegmenter(network, card()).label_map(probabilities)
    joined = UNetSegmenter(network, card(smallest_kind_share=0.01)).label_map(probabilities)
    assert (joined == Label.GROUND_GLASS).all()


def test_slices_of_a_study_share_glances_and_are_segmented_like_single_ones():
    network = DarkIsLung()
    segmenter = UNetSegmenter(network, card())
    study = [body()] * 11
    predictions = segmenter.segment_study(study, Intensity.PICTURE, slices_apart_mm=5.0)
    assert (network.sides.count(32), network.sides.count(64)) == (3, 11)
    alone = segmenter.segment(study[0], Intensity.PICTURE)
    assert all(np.array_equal(one.label_map, alone.label_map) for one in predictions)


def test_a_slice_whose_lungs_outgrow_the_box_is_looked_at_whole_too():
    network = DarkIsLung()
    large = (slice(20, 100), slice(10, 110))
    study = [body(), body(), body(large), body(), body(), body()]
    predictions = UNetSegmenter(network, card()).segment_study(study, Intensity.PICTURE, slices_apart_mm=8.0)
    # Two glances, six looks, and one more for the slice whose lungs were cut.
    assert (network.sides.count(32), network.sides.count(64)) == (2, 7)
    found = np.argwhere(predictions[2].label_map == Label.LUNG)
    assert np.abs(found.min(axis=0) - (20, 10)).max() <= 2
    assert np.abs(found.max(axis=0) - (99, 109)).max() <= 2


def test_a_slice_alone_gets_two_passes_mirrored_where_its_lungs_fill_the_picture():
    network = LeftIsLesion()
    probabilities = UNetSegmenter(network, card()).unit_probabilities(np.zeros((SIDE, SIDE), np.float32))
    assert probabilities[Label.GROUND_GLASS] == pytest.approx(np.full((SIDE, SIDE), 0.5), abs=1e-3)


def smoothed(weights: tuple[float, ...], *values: float) -> list[float]:
    smoothing = Smoothing(weights)
    pushed = [smoothing.push(np.full((4, 1, 1), value, np.float32)) for value in values]
    return [one.item(0) for one in (*pushed, *smoothing.rest()) if one is not None]


def test_neighbours_are_averaged_in_by_their_weights():
    # 1 of 1 + 1/2, of 1 + 1/2 + 1/2, and of 1 + 1/2.
    assert smoothed((0.5,), 0.0, 1.0, 0.0) == pytest.approx([1 / 3, 1 / 2, 1 / 3])
    # Weights 1, 3/4, 1/4 of a single 1 in the middle of five.
    assert smoothed((0.75, 0.25), 0, 0, 1, 0, 0) == pytest.approx(
        [0.25 / 2.0, 0.75 / 2.75, 1 / 3, 0.75 / 2.75, 0.25 / 2.0]
    )


def test_a_stack_shorter_than_the_neighbourhood_gives_each_slice_once():
    assert smoothed((0.75, 0.5, 0.25), 0.5) == [0.5]
    assert len(smoothed((0.75, 0.5, 0.25), 0.1, 0.2)) == 2
    assert smoothed((), 0.1, 0.2, 0.3) == pytest.approx([0.1, 0.2, 0.3])
    assert smoothed((0.5,)) == []


def test_neighbours_count_the_less_the_farther_they_are():
    assert neighbour_weights(3.5) == pytest.approx((0.5,))
    assert neighbour_weights(8.0) == ()
    assert len(neighbour_weights(0.5)) == 5


def test_a_slice_that_its_neighbours_contradict_becomes_doubtful():
    network = DarkIsLung()
    segmenter = UNetSegmenter(network, card())
    stack = [body(), body(), body(None), body(), body()]
    smooth = segmenter.segment_study(stack, Intensity.PICTURE, slices_apart_mm=3.5)
    apart = segmenter.segment_study(stack, Intensity.PICTURE, slices_apart_mm=8.0)
    assert (apart[2].label_map == Label.LUNG).sum() == 0
    # Half of the weight lies on the two slices beside it: as likely as not.
    assert smooth[2].entropy_mean > apart[2].entropy_mean


def test_loose_pictures_share_nothing():
    network = DarkIsLung()
    study = [body(), body()[:110], body()]
    predictions = UNetSegmenter(network, card()).segment_study(study, Intensity.PICTURE)
    assert network.sides.count(32) == 3
    assert [one.label_map.shape for one in predictions] == [(120, 120), (110, 120), (120, 120)]


def test_no_slices_are_no_predictions():
    assert UNetSegmenter(DarkIsLung(), card()).segment_study([], Intensity.PICTURE) == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [0]), (2, [0, 1]), (6, [0, 5]), (11, [0, 5, 10]), (9, [0, 8]), (10, [0, 4, 9])],
)
def test_glances_are_spread_evenly_from_the_first_slice_to_the_last(count: int, expected: list[int]):
    assert low_resolution_indices(count) == expected


def test_thin_slices_get_16_glances_at_most():
    assert len(low_resolution_indices(600)) == 16
    assert len(low_resolution_indices(41)) == 6


def test_boxes_of_slices_between_two_glances_change_step_by_step():
    above, below = (slice(4, 6), slice(4, 6)), (slice(2, 5), slice(5, 9))
    both = (slice(3, 6), slice(4, 8))
    assert boxes_between({0: None, 2: above, 4: below}, 5) == [None, above, above, both, below]


def test_work_is_done_in_order():
    doubled = in_turn(5, lambda index: index * 2, lambda value: value + 1, str)
    assert list(doubled) == ["1", "3", "5", "7", "9"]


def test_an_error_while_a_slice_is_prepared_reaches_the_caller():
    def prepare(index: int) -> int:
        if index == 1:
            raise ValueError("slice 1")
        return index

    with pytest.raises(ValueError, match="slice 1"):
        list(in_turn(3, prepare, lambda value: value, str))


def test_two_looks_that_contradict_each_other_disagree_in_full():
    segmenter = UNetSegmenter(LeftIsLesion(), card(), views=Views(whole=True, lung=False, flip=True))
    dark = np.zeros((SIDE, SIDE), np.uint8)
    alone = segmenter.segment(dark, Intensity.PICTURE)
    assert alone.disagreement == pytest.approx(1.0, abs=1e-3)
    [in_study, _] = segmenter.segment_study([dark, dark], Intensity.PICTURE, slices_apart_mm=8.0)
    assert in_study.disagreement == pytest.approx(1.0, abs=1e-3)


def test_the_whole_slice_and_its_lungs_agree_where_the_network_sees_the_same():
    found = UNetSegmenter(DarkIsLung(), card()).segment(body(), Intensity.PICTURE)
    # Only the lungs' edge, which the two squares blur in different ways, of 20 x 60 pixels of 120 x 120.
    assert found.disagreement is not None
    assert 0 < found.disagreement < 0.02


@pytest.mark.parametrize("views", [Views(whole=True, lung=False), Views(whole=False, lung=True)])
def test_a_slice_that_was_looked_at_once_has_no_disagreement(views: Views):
    segmenter = UNetSegmenter(DarkIsLung(), card(), views=views)
    assert segmenter.segment(body(), Intensity.PICTURE).disagreement is None


@pytest.mark.parametrize("views", [SLICE_OF_STUDY, Views(whole=True, lung=True, flip=True)])
def test_a_slice_far_from_its_neighbours_is_doubted_in_a_study_as_it_is_alone(views: Views):
    segmenter = UNetSegmenter(DarkIsLung(), card(), views=views)
    alone = segmenter.segment(body(), Intensity.PICTURE)
    for found in segmenter.segment_study([body()] * 4, Intensity.PICTURE, slices_apart_mm=8.0):
        for figure in (
            "zone_entropy",
            "ground_glass_entropy",
            "consolidation_entropy",
            "disagreement",
            "lesion_zone",
        ):
            assert getattr(found, figure) == getattr(alone, figure)
        assert np.array_equal(found.uncertainty, alone.uncertainty)


def test_each_slice_of_a_thin_stack_keeps_its_own_disagreement():
    network = DarkIsLung()
    large = (slice(20, 100), slice(10, 110))
    stack = [body(), body(), body(large), body(), body(), body()]
    found = UNetSegmenter(network, card()).segment_study(stack, Intensity.PICTURE, slices_apart_mm=3.5)
    # Only the slice whose lungs outgrew its box was looked at twice; answers come one slice late.
    assert [one.disagreement is not None for one in found] == [False, False, True, False, False, False]
