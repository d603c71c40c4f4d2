"""What a fit starts from: ImageNet's features, or a version's weights, moved where that is asked for."""

from pathlib import Path

import torch

from chestct.errors import WeightsError
from chestct.model.architecture import architecture_of
from chestct.model.network import build_network
from chestct.model.weights import load_version
from training.fitting.config import FitConfig
from training.fitting.transfer import transfer
from training.fitting.warm_start import warm_start


def start_network(config: FitConfig, start_from: Path | None) -> tuple[str, torch.nn.Module]:
    """The network that a fit begins with, and its architecture for the model card.

    Args:
        start_from: folder of a version; None starts from ImageNet's features.
    Raises:
        WeightsError: the version is missing, damaged, or fits no such encoder.
    """
    if start_from is None:
        architecture = architecture_of(config.encoder)
        network = build_network(architecture)
        warm_start(network)
        return architecture, network
    card, weights = load_version(start_from.parent, start_from.name)
    network = build_network(card.architecture)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WeightsError(f"{start_from} does not fit its architecture {card.architecture}") from error
    if config.move_to is None or architecture_of(config.move_to) == card.architecture:
        return card.architecture, network
    moved = build_network(architecture_of(config.move_to))
    if not transfer(moved, network.state_dict()):
        raise WeightsError(
            f"{start_from.name} is a {card.architecture}; its features fit no {config.move_to}, only an "
            "EfficientNet of the same shape"
        )
    return architecture_of(config.move_to), moved
