"""From a slice to what a model says of it."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from chestct.errors import WeightsError
from chestct.inference.engine import Engine
from chestct.inference.slice_views import SliceViews, View, composed, disagreement
from chestct.inference.stack import (
    Smoothing,
    boxes_between,
    in_turn,
    low_resolution_indices,
    neighbour_weights,
)
from chestct.inference.uncertainty import (
    confidence,
    normalised_entropy,
    uncertainty_map,
    zone_disagreement,
    zone_figures,
)
from chestct.intensity import Intensity, unit_range
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.views import Views
from chestct.model.weights import load_version
from chestct.prediction import SlicePrediction, most_probable, without_minor_kinds
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.uncertainty import lesion_sums


class UNetSegmenter:
    """A model version, ready to segment; safe to share between threads, which wait in line.

    Args:
        network: as `build_network` gives it, with its weights.
        card: the version's card: window, input size, temperature and lesion threshold count.
        device: where to run; the best one present by default.
        views: which of a slice are averaged; the card's by default, fewer in a study.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        card: ModelCard,
        device: torch.device | str | None = None,
        views: Views | None = None,
    ) -> None:
        self.card, self.version = card, card.version
        engine = Engine(network, card, device)
        self._alone = SliceViews(engine, views or card.views, card.input_size)
        self._in_study = SliceViews(engine, views or card.study_looks, card.input_size)

    @classmethod
    def load(
        cls,
        weights_dir: Path,
        version: str,
        device: torch.device | str | None = None,
        views: Views | None = None,
    ) -> "UNetSegmenter":
        """The version of that name.

        Raises:
            WeightsError: it is missing, damaged or of another architecture.
        """
        card, weights = load_version(weights_dir, version)
        return cls.of_weights(card, weights, device, views)

    @classmethod
    def of_weights(
        cls,
        card: ModelCard,
        weights: dict[str, torch.Tensor],
        device: torch.device | str | None = None,
        views: Views | None = None,
    ) -> "UNetSegmenter":
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
        return cls(network, card, device, views)

    @property
    def involvement_calibration(self) -> InvolvementCalibration | None:
        """What the card says of the interval of an involvement; None where it was never calibrated."""
        return InvolvementCalibration.of_card(self.card.calibration)

    def unit_probabilities(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Calibrated class probabilities of one slice.

        Args:
            image: (H, W) float32 in [0, 1], as `chestct.intensity.unit_range` gives it.
        Returns:
            (4, H, W) float32 in the order of Label, summing to 1, at the slice's own size.
        Raises:
            WeightsError: the network answers with NaN.
        """
        return composed(self._seen_alone(image), (image.shape[0], image.shape[1]))

    def label_map(self, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """(H, W) uint8 label map of (4, H, W) probabilities, decided as the card says."""
        return without_minor_kinds(
            most_probable(probabilities, self.card.lesion_threshold), self.card.smallest_kind_share
        )

    def segment(self, pixels: npt.NDArray[np.generic], intensity: Intensity) -> SlicePrediction:
        """What the model says of one slice.

        Args:
            pixels: (H, W) int16 HU or uint8 grey levels, as `intensity` says.
        """
        started = time.perf_counter()
        image = unit_range(pixels, intensity, self.card.window_hu)
        shape = (image.shape[0], image.shape[1])
        seen = self._seen_alone(image)
        prediction = self._prediction(composed(seen, shape), disagreement(seen, shape, self._step(shape)))
        return replace(prediction, seconds=time.perf_counter() - started)

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        """What the model says of each slice of `each_of_study`."""
        return list(self.each_of_study(slices, intensity, slices_apart_mm=slices_apart_mm))

    def each_of_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> Iterator[SlicePrediction]:
        """What the model says of each slice, one after another.

        Slices of a stack share a low-resolution pass with their neighbours, so that a study costs little
        more than one pass a slice, and neighbours are averaged in; a box that turns out to cut the lungs is
        replaced for that slice. Loose pictures are each looked at alone.

        Args:
            slices: (H, W) each; of one size where they are a stack.
            slices_apart_mm: see `Study.slices_apart_mm`; None for loose pictures.
        """
        if slices_apart_mm is None:
            return (self.segment(pixels, intensity) for pixels in slices)
        return self._in_stack(slices, intensity, slices_apart_mm)

    def _in_stack(
        self, slices: Sequence[npt.NDArray[np.generic]], intensity: Intensity, slices_apart_mm: float
    ) -> Iterator[SlicePrediction]:
        passes = {
            index: self._in_study.low_resolution_pass(self._picture(slices[index], intensity))
            for index in low_resolution_indices(len(slices))
        }
        boxes = boxes_between(passes, len(slices))
        smoothing = Smoothing(neighbour_weights(slices_apart_mm))

        def prepare(index: int) -> tuple[torch.Tensor, list[View]]:
            picture = self._picture(slices[index], intensity)
            return picture, self._in_study.views(picture, boxes[index])

        def look(prepared: tuple[torch.Tensor, list[View]]) -> tuple[list[View], tuple[int, int]]:
            picture, views = prepared
            return self._in_study.look(picture, views), (picture.shape[0], picture.shape[1])

        # Of each slice's own views: its neighbours show another piece of the lung and differ for that reason.
        apart: deque[npt.NDArray[np.float32] | None] = deque()

        def finish(seen: tuple[list[View], tuple[int, int]]) -> SlicePrediction | None:
            """Of an earlier slice, whose neighbours are known now."""
            apart.append(disagreement(*seen, self._step(seen[1])))
            smooth = smoothing.push(composed(*seen))
            return None if smooth is None else self._prediction(smooth, apart.popleft())

        last = time.perf_counter()
        rest = (self._prediction(smooth, apart.popleft()) for smooth in smoothing.rest())
        for prediction in chain(in_turn(len(slices), prepare, look, finish), rest):
            if prediction is not None:
                now = time.perf_counter()
                yield replace(prediction, seconds=now - last)
                last = now

    def _picture(self, pixels: npt.NDArray[np.generic], intensity: Intensity) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(unit_range(pixels, intensity, self.card.window_hu)))

    def _seen_alone(self, image: npt.NDArray[np.float32]) -> list[View]:
        picture = torch.from_numpy(np.ascontiguousarray(image))
        return self._alone.look(picture, self._alone.views(picture, self._alone.low_resolution_pass(picture)))

    def _step(self, shape: tuple[int, int]) -> int:
        """Enlarged, the network's answer holds nothing new: its own number of pixels tells as much."""
        return max(1, min(shape) // self.card.input_size)

    def _prediction(
        self, probabilities: npt.NDArray[np.float32], apart: npt.NDArray[np.float32] | None
    ) -> SlicePrediction:
        step = self._step((probabilities.shape[1], probabilities.shape[2]))
        sparse = probabilities[:, ::step, ::step]
        entropy = normalised_entropy(sparse)
        expected, deviation = lesion_sums(probabilities)
        return SlicePrediction(
            label_map=self.label_map(probabilities),
            score=confidence(sparse, entropy),
            entropy_mean=float(entropy.mean()),
            lesion_expected=expected,
            lesion_deviation=deviation,
            **asdict(zone_figures(sparse, entropy)),
            disagreement=None if apart is None else zone_disagreement(sparse, apart),
            uncertainty=uncertainty_map(entropy),
        )
