from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import torch

from chestct.errors import WeightsError
from chestct.inference.engine import resized
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity, unit_range
from chestct.labels import Label
from chestct.model.architecture import architecture_of
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.weights import save_version
from chestct.severity.uncertainty import lesion_sums


def probabilities_of(segmenter: UNetSegmenter, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return segmenter.unit_probabilities(unit_range(pixels, Intensity.PICTURE, segmenter.card.window_hu))


class GreyLevels(torch.nn.Module):
    """Calls dark pixels lung and bright ones background, by 4 logits either way."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        bright = (pictures > 0.5).float() * 4
        logits = torch.full((len(pictures), 4, *pictures.shape[-2:]), -4.0)
        logits[:, Label.BACKGROUND], logits[:, Label.LUNG] = bright[:, 0], 4 - bright[:, 0]
        return logits


class Broken(torch.nn.Module):
    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 4, *pictures.shape[-2:]), float("nan"))


def card(**given) -> ModelCard:
    return ModelCard(version="fake", architecture="unet/fake", input_size=64, **given)


@pytest.fixture
def segmenter() -> UNetSegmenter:
    return UNetSegmenter(GreyLevels(), card())


def half_dark(height: int, width: int) -> np.ndarray:
    pixels = np.full((height, width), 230, np.uint8)
    pixels[:, : width // 2] = 20
    return pixels


@pytest.mark.parametrize("shape", [(64, 64), (512, 512), (153, 277), (40, 90)])
def test_a_prediction_has_the_size_of_its_slice(segmenter, shape):
    prediction = segmenter.segment(half_dark(*shape), Intensity.PICTURE)
    assert prediction.label_map.shape == shape
    assert prediction.label_map.dtype == np.uint8
    assert prediction.label_map[0, 0] == Label.LUNG
    assert prediction.label_map[-1, -1] == Label.BACKGROUND
    assert 0 <= prediction.score <= 1


def test_a_prediction_carries_what_a_study_needs_for_its_interval(segmenter):
    prediction = segmenter.segment(half_dark(40, 48), Intensity.PICTURE)
    probabilities = probabilities_of(segmenter, half_dark(40, 48))
    sums = lesion_sums(probabilities)
    assert (prediction.lesion_expected, prediction.lesion_deviation) == sums


def test_a_prediction_says_what_is_in_doubt(segmenter):
    soft = UNetSegmenter(GreyLevels(), card(calibration={"temperature": 2.0}))
    sharp_said, soft_said = (one.segment(half_dark(64, 64), Intensity.PICTURE) for one in (segmenter, soft))
    # Logits 4, 0, -4, -4 are 0.981, 0.018 and twice 0.0003: 0.069 of the most entropy, over half the picture;
    # at temperature 2 they are 0.853, 0.115 and twice 0.016: 0.371.
    assert sharp_said.zone_entropy == pytest.approx(0.035, abs=0.004)
    assert soft_said.zone_entropy == pytest.approx(0.186, abs=0.008)
    assert sharp_said.uncertainty.shape == (64, 64)
    assert sharp_said.uncertainty.dtype == np.uint8
    assert soft_said.uncertainty.mean() / 255 == pytest.approx(soft_said.entropy_mean, abs=0.005)
    assert soft_said.ground_glass_entropy < soft_said.zone_entropy / 20
    assert sharp_said.lesion_zone == 0.0


@pytest.mark.parametrize(
    ("shape", "expected"), [((512, 384), (86, 64)), ((100, 127), (100, 127)), ((100, 400), (32, 128))]
)
def test_a_doubt_map_is_no_larger_than_the_networks_answer(segmenter, shape, expected):
    assert segmenter.segment(half_dark(*shape), Intensity.PICTURE).uncertainty.shape == expected


def test_probabilities_sum_to_1(segmenter):
    probabilities = probabilities_of(segmenter, half_dark(100, 80))
    assert probabilities.shape == (4, 100, 80)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=0) == pytest.approx(np.ones((100, 80)), abs=1e-5)


def test_hu_are_seen_through_the_window_of_the_card(segmenter):
    pixels = np.array([[-1000, 40]], np.int16).repeat(64, axis=0).repeat(32, axis=1)
    label_map = segmenter.segment(pixels, Intensity.HU).label_map
    assert (label_map[:, :31] == Label.LUNG).all()
    assert (label_map[:, 33:] == Label.BACKGROUND).all()


def test_a_temperature_softens_the_answer_and_keeps_the_class(segmenter):
    soft = UNetSegmenter(GreyLevels(), card(calibration={"temperature": 2.0}))
    pixels = half_dark(64, 64)
    sharp_p = probabilities_of(segmenter, pixels)
    soft_p = probabilities_of(soft, pixels)
    assert soft_p[Label.LUNG, 0, 0] < sharp_p[Label.LUNG, 0, 0]
    assert np.array_equal(soft_p.argmax(axis=0), sharp_p.argmax(axis=0))
    assert soft.segment(pixels, Intensity.PICTURE).score < segmenter.segment(pixels, Intensity.PICTURE).score


def test_a_study_gives_its_predictions_one_after_another_so_that_progress_can_be_told(segmenter):
    predictions = segmenter.each_of_study([half_dark(64, 64)] * 4, Intensity.PICTURE)
    shares = [done / 4 for done, _ in enumerate(predictions, start=1)]
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_threads_get_the_same_answer(segmenter):
    pixels = half_dark(64, 64)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: segmenter.segment(pixels, Intensity.PICTURE), range(8)))
    assert all(np.array_equal(answer.label_map, answers[0].label_map) for answer in answers)


def test_a_network_that_answers_nan_is_an_error():
    with pytest.raises(WeightsError, match="NaN"):
        UNetSegmenter(Broken(), card()).segment(half_dark(64, 64), Intensity.PICTURE)


def test_a_version_is_loaded_from_disk_and_answers_like_the_one_that_was_saved(tmp_path):
    torch.manual_seed(0)
    architecture = architecture_of("tu-tf_efficientnet_lite0")
    network = build_network(architecture)
    saved = ModelCard(version="v1", architecture=architecture, input_size=64)
    save_version(tmp_path, network.state_dict(), saved)
    loaded = UNetSegmenter.load(tmp_path, "v1")
    assert loaded.version == "v1"
    before = probabilities_of(UNetSegmenter(network, saved), half_dark(64, 64))
    after = probabilities_of(loaded, half_dark(64, 64))
    assert np.abs(before - after).max() < 0.02


def test_tensors_of_another_architecture_are_refused(tmp_path):
    saved = ModelCard(version="v1", architecture=architecture_of("tu-tf_efficientnet_lite0"))
    save_version(tmp_path, {"something": torch.zeros(2)}, saved)
    with pytest.raises(WeightsError, match="do not fit"):
        UNetSegmenter.load(tmp_path, "v1")


@pytest.mark.parametrize("size", [(256, 128), (300, 200)])
def test_enlarging_needs_no_antialiasing(size):
    small = torch.rand(1, 4, 64, 96)
    filtered = torch.nn.functional.interpolate(small, size=size, mode="bilinear", antialias=True)
    assert torch.allclose(resized(small, size), filtered, atol=1e-5)


def test_shrinking_averages_pixels():
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(32, 32)[None, None]
    inner = resized(checks, (16, 16))[0, 0, 1:-1, 1:-1]
    assert torch.allclose(inner, torch.full_like(inner, 0.5), atol=0.05)


def test_a_slice_enlarged_is_as_sure_as_before(segmenter):
    small, large = half_dark(64, 64), half_dark(64, 64).repeat(4, axis=0).repeat(4, axis=1)
    found = [segmenter.segment(pixels, Intensity.PICTURE) for pixels in (small, large)]
    assert found[0].score == pytest.approx(found[1].score, abs=0.02)
    assert found[0].entropy_mean == pytest.approx(found[1].entropy_mean, abs=0.02)
