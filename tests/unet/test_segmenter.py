from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from chestct.errors import WeightsError
from chestct.intensity import Intensity
from chestct.involvement_doubt import lesion_sums
from chestct.labels import Label
from chestct.unet.network import architecture_of, build_network
from chestct.unet.segmenter import Segmenter
from chestct.unet.weights import ModelCard, save_version


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
def segmenter() -> Segmenter:
    return Segmenter(GreyLevels(), card())


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
    probabilities = segmenter.probabilities(half_dark(40, 48), Intensity.PICTURE)
    sums = lesion_sums(probabilities)
    assert (prediction.lesion_expected, prediction.lesion_deviation) == sums


def test_probabilities_sum_to_1(segmenter):
    probabilities = segmenter.probabilities(half_dark(100, 80), Intensity.PICTURE)
    assert probabilities.shape == (4, 100, 80)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=0) == pytest.approx(np.ones((100, 80)), abs=1e-5)


def test_hu_are_seen_through_the_window_of_the_card(segmenter):
    pixels = np.array([[-1000, 40]], np.int16).repeat(64, axis=0).repeat(32, axis=1)
    label_map = segmenter.segment(pixels, Intensity.HU).label_map
    assert (label_map[:, :31] == Label.LUNG).all()
    assert (label_map[:, 33:] == Label.BACKGROUND).all()


def test_a_temperature_softens_the_answer_and_keeps_the_class(segmenter):
    soft = Segmenter(GreyLevels(), card(calibration={"temperature": 2.0}))
    pixels = half_dark(64, 64)
    sharp_p = segmenter.probabilities(pixels, Intensity.PICTURE)
    soft_p = soft.probabilities(pixels, Intensity.PICTURE)
    assert soft_p.max() < sharp_p.max()
    assert np.array_equal(soft_p.argmax(axis=0), sharp_p.argmax(axis=0))
    assert soft.segment(pixels, Intensity.PICTURE).score < segmenter.segment(pixels, Intensity.PICTURE).score


def test_a_study_reports_its_progress(segmenter):
    shares: list[float] = []
    predictions = segmenter.segment_study([half_dark(64, 64)] * 4, Intensity.PICTURE, shares.append)
    assert len(predictions) == 4
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_threads_get_the_same_answer(segmenter):
    pixels = half_dark(64, 64)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: segmenter.segment(pixels, Intensity.PICTURE), range(8)))
    assert all(np.array_equal(answer.label_map, answers[0].label_map) for answer in answers)


def test_a_network_that_answers_nan_is_an_error():
    with pytest.raises(WeightsError, match="NaN"):
        Segmenter(Broken(), card()).segment(half_dark(64, 64), Intensity.PICTURE)


def test_a_version_is_loaded_from_disk_and_answers_like_the_one_that_was_saved(tmp_path):
    torch.manual_seed(0)
    architecture = architecture_of("tu-tf_efficientnet_lite0")
    network = build_network(architecture)
    saved = ModelCard(version="v1", architecture=architecture, input_size=64)
    save_version(tmp_path, network.state_dict(), saved)
    loaded = Segmenter.load(tmp_path, "v1")
    assert loaded.version == "v1"
    before = Segmenter(network, saved).probabilities(half_dark(64, 64), Intensity.PICTURE)
    after = loaded.probabilities(half_dark(64, 64), Intensity.PICTURE)
    assert np.abs(before - after).max() < 0.02


def test_tensors_of_another_architecture_are_refused(tmp_path):
    saved = ModelCard(version="v1", architecture=architecture_of("tu-tf_efficientnet_lite0"))
    save_version(tmp_path, {"something": torch.zeros(2)}, saved)
    with pytest.raises(WeightsError, match="do not fit"):
        Segmenter.load(tmp_path, "v1")
