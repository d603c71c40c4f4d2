"""A real version of the shipped architecture that is small once packed: all but a few channels are zero.

A channel whose kernels, scale and shift are zero in and out gets no gradient, so it stays zero through
every later fit, and 13 MB of weights pack into less than 100 kB.
"""

import dataclasses
import tempfile
from pathlib import Path

import torch
from chestct.unet.network import DEFAULT_ENCODER, architecture_of, build_network
from chestct.unet.weights import ModelCard, save_version
from training.config import FitConfig
from training.dataset import TrainingSample
from training.fit import fit

from chestct.labels import SeverityGrade
from chestct.phantoms import phantom_study

CHANNELS = 12
# Channels that come from the decoder block before; the rest of a block's input is the encoder's.
_FROM_BEFORE = {
    f"decoder.blocks.{block}.conv1.0.weight": size for block, size in enumerate((320, 256, 128, 64, 32))
}


def write_small_version(weights_dir: Path, version: str, side: int, seeds: range, steps: int) -> None:
    """Fits the pruned network to a few phantoms: good enough to find lesions, poor enough to be improved."""
    torch.manual_seed(7)
    start = {name: _pruned(name, tensor) for name, tensor in build_network().state_dict().items()}
    card = ModelCard(
        version,
        architecture_of(DEFAULT_ENCODER),
        input_size=side,
        data_licence="made-up phantoms, no patient",
        notes=("Pruned to a few channels; made for a test.",),
    )
    config = FitConfig(
        steps=steps, batch_size=8, input_size=side, early_size=side, learning_rate=8e-3, encoder_rate=1.0
    )
    samples = [sample for seed in seeds for sample in _samples(seed, side)]
    with tempfile.TemporaryDirectory() as work:
        untrained = save_version(Path(work) / "weights", start, card)
        fitted = fit(samples, config, start_from=untrained, work_dir=Path(work) / "fit")
    save_version(
        weights_dir, fitted.state_dict, dataclasses.replace(card, training={"config": config.as_dict()})
    )


def _pruned(name: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.clone()
    if "running_" in name or "num_batches" in name or name.startswith("segmentation_head"):
        if name.startswith("segmentation_head") and tensor.ndim > 1:
            tensor[:, CHANNELS:] = 0
        return tensor
    tensor[CHANNELS:] = 0
    if tensor.ndim > 1:
        before = _FROM_BEFORE.get(name, tensor.shape[1])
        tensor[:, CHANNELS:before] = 0
        tensor[:, before + CHANNELS :] = 0
    return tensor


def _samples(seed: int, side: int) -> list[TrainingSample]:
    grade = (SeverityGrade.CT_1, SeverityGrade.CT_2, SeverityGrade.CT_3, SeverityGrade.CT_0)[seed % 4]
    study = phantom_study(seed, grade, (8, side, side)).labelled_study()
    return [
        TrainingSample.of_slice(
            pixels,
            study.intensity,
            study.candidates[index],
            source="phantom",
            patient=study.patient,
            name=f"{index}",
        )
        for index, pixels in enumerate(study.slices)
    ]
