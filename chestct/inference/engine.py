"""A network at work: pictures in, calibrated probabilities out."""

import threading

import torch

from chestct.errors import WeightsError
from chestct.model.card import ModelCard
from chestct.model.fused_forward import fused_forward
from chestct.model.precision import placed, preferred_device


class Engine:
    """A placed network; safe to share between threads, which wait in line.

    Args:
        network: from (N, 1, S, S) to (N, 4, S, S) logits.
        card: its input size and temperature count.
        device: where to run; the best one present by default.
    """

    def __init__(
        self, network: torch.nn.Module, card: ModelCard, device: torch.device | str | None = None
    ) -> None:
        self._card = card
        self._device = torch.device(device) if device is not None else preferred_device()
        self._network = fused_forward(placed(network, self._device)).eval()
        self._lock = threading.Lock()

    def prepared(self, picture: torch.Tensor, side: int) -> torch.Tensor:
        """(H, W) float32 in [0, 1] as the network's (1, 1, side, side)."""
        square = resized(picture[None, None].to(self._device), (side, side))
        return square.contiguous(memory_format=torch.channels_last)

    def look(self, square: torch.Tensor, *, flip: bool = False) -> list[torch.Tensor]:
        """One pass, or two: the second with left and right exchanged, and turned back.

        Args:
            square: (1, 1, side, side) of `prepared`.
            flip: with the second pass.
        Returns:
            (4, side, side) float32 probabilities each, on the CPU, in the order of Label.
        Raises:
            WeightsError: the network answers with NaN.
        """
        with self._lock, torch.inference_mode():
            seen = [self._pass(square)]
            if flip:
                seen.append(self._pass(square.flip(-1)).flip(-1))
            seen = [answer[0].cpu() for answer in seen]
        if not all(bool(torch.isfinite(answer).all()) for answer in seen):
            raise WeightsError(f"version {self._card.version} answers with NaN; its weights are damaged")
        return seen

    def _pass(self, square: torch.Tensor) -> torch.Tensor:
        return (self._network(square).float() / self._card.temperature).softmax(dim=1)


def resized(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, C, H, W) at another size; antialiased, since the network was fitted on averaged pixels."""
    height, width = pictures.shape[-2:]
    if (height, width) == size:
        return pictures
    # Enlarging gives the same numbers without the filter, in two thirds of the time.
    shrinks = size[0] < height or size[1] < width
    return torch.nn.functional.interpolate(
        pictures, size=size, mode="bilinear", align_corners=False, antialias=shrinks
    )
