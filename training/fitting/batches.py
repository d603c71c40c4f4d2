"""Batches of random views, each made while the step before it is computed."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from training.data.augment import Augmentation
from training.data.dataset import TrainingSample, sampling_weights
from training.data.transplant import has_room, transplanted
from training.fitting.config import FitConfig

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches:
    """The batches of a fit; all random choices of one derive from (seed, step).

    Args:
        samples: at least one.
        config: of the fit.
    Raises:
        TrainingDataError: nothing to draw from.
    """

    def __init__(self, samples: Sequence[TrainingSample], config: FitConfig) -> None:
        cv2.setNumThreads(1)  # its own pool would fight torch's for the same cores
        self._samples, self._config = samples, config
        self._odds = sampling_weights(samples, config.source_shares)
        lesions = np.array([sample.shows_lesion() for sample in samples])
        self._donors = self._odds * lesions
        self._rooms = [has_room(sample.partial_labels) for sample in samples]
        self._augmentation = Augmentation(config.turn_chance)

    def at(self, step: int, part: slice = slice(None)) -> Batch:
        """(N, 1, size, size) float32 pictures in [0, 1] and (N, size, size) uint8 partial labels.

        Args:
            part: which of the batch's pictures; the draw is the whole batch's, whatever is asked for.
        """
        rng = np.random.default_rng([self._config.seed, step])
        chosen = rng.choice(len(self._samples), size=self._config.batch_size, p=self._odds)
        size = self._config.size_at(step)
        drawn = [self._drawn(int(index), rng) for index in chosen]
        views = [self._view(picture, size) for picture in drawn[part]]
        images = torch.from_numpy(np.stack([image for image, _ in views]))[:, None]
        partial_labels = torch.from_numpy(np.stack([known for _, known in views]))
        return images.contiguous(memory_format=torch.channels_last), partial_labels

    def ahead(self, first: int, part: slice = slice(None)) -> Iterator[tuple[int, float, Batch]]:
        """Step, seconds that it was waited for, and batch, from step `first` to the last."""
        last = self._config.steps - 1
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as thread:
            coming = thread.submit(self.at, first, part) if first <= last else None
            for step in range(first, last + 1):
                asked = time.monotonic()
                assert coming is not None
                batch = coming.result()
                waited_seconds = time.monotonic() - asked
                coming = thread.submit(self.at, step + 1, part) if step < last else None
                yield step, waited_seconds, batch

    def _drawn(self, index: int, rng: np.random.Generator) -> "_Drawn":
        seed, donor = int(rng.integers(2**31)), None
        if rng.random() < self._config.transplant_chance and self._rooms[index] and self._donors.any():
            donor = int(rng.choice(len(self._samples), p=self._donors / self._donors.sum()))
        return _Drawn(index, seed, donor)

    def _view(self, drawn: "_Drawn", size: int) -> tuple[np.ndarray, np.ndarray]:
        sample = self._samples[drawn.index]
        image, partial_labels = sample.image, sample.partial_labels
        if drawn.donor is not None:
            donor = self._samples[drawn.donor]
            image, partial_labels = transplanted(
                image, partial_labels, donor.image, donor.partial_labels, drawn.seed
            )
        return self._augmentation(image, partial_labels, size, drawn.seed)


@dataclass(frozen=True)
class _Drawn:
    """One picture of a batch, not yet made: its sample, the seed of its view, whose lesion it is lent."""

    index: int
    seed: int
    donor: int | None
