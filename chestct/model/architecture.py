"""How networks are named, and what every one of them shares; free of torch."""

from chestct.labels import Label

DEFAULT_ENCODER = "efficientnet-b0"
CLASSES = tuple(label.name.lower() for label in Label)
# The encoder halves the picture five times.
SIZE_STEP = 32


def architecture_of(encoder: str) -> str:
    """Name of the network in a model card, as `chestct.model.network.build_network` understands it."""
    return f"unet/{encoder}"
