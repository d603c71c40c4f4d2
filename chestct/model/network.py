"""The network: a U-Net of segmentation-models-pytorch over one grey channel."""

import warnings

import torch

from chestct.errors import WeightsError
from chestct.model.architecture import CLASSES, DEFAULT_ENCODER, architecture_of
from chestct.model.torchvision_compat import import_smp


def build_network(architecture: str = architecture_of(DEFAULT_ENCODER)) -> torch.nn.Module:
    """An untrained network, never with downloaded weights.

    Args:
        architecture: "unet/<encoder of segmentation-models-pytorch>".
    Returns:
        A module from (N, 1, H, W) float32 in [0, 1], H and W multiples of 32, to (N, 4, H, W)
        logits in the order of Label.
    Raises:
        WeightsError: this installation does not know the architecture.
    """
    kind, _, encoder = architecture.partition("/")
    if kind != "unet" or not encoder:
        raise WeightsError(
            f"architecture {architecture!r} is unknown; expected unet/<encoder>, "
            f"for example {architecture_of(DEFAULT_ENCODER)}"
        )
    smp = import_smp()
    with warnings.catch_warnings():
        # smp 0.6 warns for its own renamed encoders; the name in the card is the one that counts.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return smp.Unet(encoder, encoder_weights=None, in_channels=1, classes=len(CLASSES))
        except (KeyError, RuntimeError) as error:
            raise WeightsError(
                f"architecture {architecture!r}: segmentation-models-pytorch has no such encoder"
            ) from error
