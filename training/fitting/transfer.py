"""Moving learned features between EfficientNets of one shape.

EfficientNet-lite0 is EfficientNet-b0 without squeeze-excite and with ReLU6 for swish: every other
module stands in the same order with the same shape, under other names.
"""

from collections.abc import Iterable, Mapping

import torch

_ENCODER = "encoder."
# Modules of b0 that lite0 lacks, or that lie behind the deepest feature map a U-Net reads.
_ONLY_IN_B0 = ("._se_", "._conv_head.", f"{_ENCODER}_bn1.")
# sigmoid(4) = 0.98: a squeeze-excite that starts nearly open leaves the moved features as they were.
_OPEN_GATE = 4.0


def backbone_names(state: Iterable[str]) -> list[str]:
    """State names of an EfficientNet encoder in order, without what lite0 lacks."""
    return [
        name for name in state if name.startswith(_ENCODER) and not any(part in name for part in _ONLY_IN_B0)
    ]


def open_gates(network: torch.nn.Module) -> None:
    """Squeeze-excite gates nearly open whatever their input, where the encoder has any."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "._se_expand." in name:
                parameter.fill_(_OPEN_GATE) if name.endswith("bias") else parameter.mul_(0.1)


def transfer(network: torch.nn.Module, donor: Mapping[str, torch.Tensor]) -> int:
    """Copies a trained U-Net into one of the other EfficientNet, tensor by tensor.

    Encoders are paired by order, decoders by name; where a decoder convolution reads a wider skip
    connection, the channels that both have are copied and the others keep their start.

    Args:
        network: changed in place.
        donor: state of a U-Net whose encoder has the same shape.
    Returns:
        How many tensors were copied; 0 where the encoders do not pair.
    """
    state = network.state_dict()
    own, theirs = backbone_names(state), backbone_names(donor)
    pairs = list(zip(own, theirs, strict=False))
    if len(own) != len(theirs) or any(state[mine].shape != donor[other].shape for mine, other in pairs):
        return 0
    pairs += [(name, name) for name in state if not name.startswith(_ENCODER) and name in donor]
    with torch.no_grad():
        for mine, other in pairs:
            shared = tuple(
                slice(0, min(a, b)) for a, b in zip(state[mine].shape, donor[other].shape, strict=True)
            )
            state[mine][shared].copy_(donor[other][shared]) if shared else state[mine].copy_(donor[other])
    open_gates(network)
    return len(pairs)
