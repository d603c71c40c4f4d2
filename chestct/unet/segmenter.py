"""From a slice to what a model says of it."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from chestct.errors import WeightsError
from chestct.intensity import Intensity, unit_range
from chestct.involvement_doubt import lesion_sums
from chestct.involvement_interval import InvolvementCalibration
from chestct.prediction import SlicePrediction, most_probable
from chestct.uncertainty import confidence, normalised_entropy
from chestct.unet.network import build_network
from chestct.unet.precision import placed, preferred_device
from chestct.unet.second_look import lung_box
from chestct.unet.weights import ModelCard, load_version


class Segmenter:
    """A model version, ready to segment; safe to share between threads, which wait in line.

    Args:
        network: as `build_network` gives it, with its weights.
        card: the version's card: window, input size and temperature count.
        device: where to run; the best one present by default.
    """

    def __init__(
        self, network: torch.nn.Module, card: ModelCard, device: torch.device | str | None = None
    ) -> None:
        self.card = card
        self._device = torch.device(device) if device is not None else preferred_device()
        self._network = placed(network, self._device).eval()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, weights_dir: Path, version: str, device: torch.device | str | None = None) -> "Segmenter":
        """The version of that name.

        Raises:
            WeightsError: it is missing, damaged or of another architecture.
        """
        card, weights = load_version(weights_dir, version)
        return cls.of_weights(card, weights, device)

    @classmethod
    def of_weights(
        cls,
        card: ModelCard,
        weights: dict[str, torch.Tensor],
        device: torch.device | str | None = None,
    ) -> "Segmenter":
        """A version that need not lie on disk yet.

        Raises:
            WeightsError: the tensors are not those of the card's architecture.
        """
        network = build_network(card.architecture)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise WeightsError(
                f"version {card.version}: its tensors do not fit the architecture "
                f"{card.architecture}; restore or delete the folder"
            ) from error
        return cls(network, card, device)

    @property
    def version(self) -> str:
        """Name of the model version."""
        return self.card.version

    @property
    def involvement_calibration(self) -> InvolvementCalibration | None:
        """What the card says of the interval of an involvement; None where it was never calibrated."""
        return InvolvementCalibration.of_card(self.card.calibration)

    def probabilities(self, pixels: npt.NDArray[np.generic], intensity: Intensity) -> npt.NDArray[np.float32]:
        """Calibrated class probabilities of one slice.

        Args:
            pixels: (H, W) int16 HU or uint8 grey levels, as `intensity` says.
        Returns:
            (4, H, W) float32 in the order of Label, summing to 1, at the slice's own size.
        Raises:
            WeightsError: the network answers with NaN.
        """
        return self.unit_probabilities(unit_range(pixels, intensity, self.card.window_hu))

    def unit_probabilities(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The same for a picture that is already (H, W) float32 in [0, 1]."""
        picture = torch.from_numpy(np.ascontiguousarray(image))[None, None].to(self._device)
        with self._lock, torch.inference_mode():
            seen = self._look(picture)
            box = lung_box(seen[0].cpu().numpy())
            if box is not None:
                rows, columns = box
                seen[..., rows, columns] += self._look(picture[..., rows, columns])
                seen[..., rows, columns] /= 2
            probabilities = seen[0].cpu().numpy()
        if not np.isfinite(probabilities).all():
            raise WeightsError(f"version {self.version} answers with NaN; its weights are damaged")
        return probabilities

    def _look(self, picture: torch.Tensor) -> torch.Tensor:
        """(1, 1, H, W) picture to (1, 4, H, W) probabilities, by way of the network's square."""
        size = (self.card.input_size, self.card.input_size)
        square = _resized(picture, size).contiguous(memory_format=torch.channels_last)
        logits = self._network(square).float() / self.card.temperature
        return _resized(logits.softmax(dim=1), tuple(picture.shape[-2:]))

    def segment(self, pixels: npt.NDArray[np.generic], intensity: Intensity) -> SlicePrediction:
        """What the model says of one slice.

        Args:
            pixels: (H, W) int16 HU or uint8 grey levels, as `intensity` says.
        """
        started = time.perf_counter()
        probabilities = self.probabilities(pixels, intensity)
        entropy = normalised_entropy(probabilities)
        expected, deviation = lesion_sums(probabilities)
        return SlicePrediction(
            label_map=most_probable(probabilities),
            score=confidence(probabilities, entropy),
            entropy_mean=float(entropy.mean()),
            seconds=time.perf_counter() - started,
            lesion_expected=expected,
            lesion_deviation=deviation,
        )

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> list[SlicePrediction]:
        """What the model says of each slice; `on_progress` gets the share done after each."""
        predictions = []
        for done, pixels in enumerate(slices, start=1):
            predictions.append(self.segment(pixels, intensity))
            on_progress(done / len(slices))
        return predictions


def _resized(pictures: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """(N, C, H, W) at another size; antialiased, since the network was fitted on averaged pixels."""
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    return torch.nn.functional.interpolate(
        pictures, size=size, mode="bilinear", align_corners=False, antialias=True
    )
