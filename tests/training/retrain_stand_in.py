"""A model that is one threshold, and a small hospital: retraining without waiting for torch.

A lesion is what is brighter than the threshold. The champion's 0.9 misses every lesion (grey 0.6 on 0.2),
a fit finds whatever threshold the test wants it to find.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from chestct import partial_labels
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.intensity import Intensity
from chestct.labels import Label, Split
from chestct.model.card import ModelCard
from chestct.model.weights import save_version
from chestct.prediction import most_probable
from chestct.progress import OnProgress, Progress
from chestct.settings import Settings
from chestct.study import Study
from training.data.dataset import TrainingSample
from training.fitting.config import FitConfig
from training.jobs import retrain

# The mean of a blind and a good one sees lesions too, as an average of weights is served.
BLIND, GOOD, DAMAGED = 0.9, 0.25, -1.0
SIZE = 64
BASE = "base-1"


class ThresholdSegmenter:
    """Ground-glass where a pixel is brighter than the threshold, else background."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def unit_probabilities(self, image: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        probabilities = np.full((len(Label), *image.shape), 0.02, dtype=np.float32)
        # Phantoms are of another size. Only a damaged model marks them; the others see nothing there.
        knows = image.shape == (SIZE, SIZE) or self._threshold < 0
        bright = (image > self._threshold) & knows
        probabilities[Label.GROUND_GLASS][bright] = 0.94
        probabilities[Label.BACKGROUND][~bright] = 0.94
        return probabilities

    def label_map(self, probabilities: npt.NDArray[np.float32], /) -> npt.NDArray[np.uint8]:
        return most_probable(probabilities)


class ThresholdTrainer:
    """Finds the threshold that it was told to find."""

    def __init__(self, found: float = GOOD, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.found = found
        self.meanwhile = meanwhile
        self.samples: list[TrainingSample] = []
        self.fits = 0

    def fit(
        self,
        samples: Sequence[TrainingSample],
        config: FitConfig,
        parent: Path,
        work_dir: Path,
        on_progress: OnProgress,
    ) -> Mapping[str, torch.Tensor]:
        self.samples, self.fits = list(samples), self.fits + 1
        self.meanwhile()
        on_progress(Progress(1.0))
        return {"threshold": torch.tensor([self.found])}

    def segmenter(self, card: ModelCard, weights: Mapping[str, torch.Tensor]) -> ThresholdSegmenter:
        return ThresholdSegmenter(float(weights["threshold"][0]))

    def temperature(self, segmenter: object, samples: Sequence[TrainingSample], seed: int) -> float:
        return 1.0


class HangingTrainer(ThresholdTrainer):
    """Writes its process id and hangs at the first fit; a fit after that goes through."""

    def fit(
        self,
        samples: Sequence[TrainingSample],
        config: FitConfig,
        parent: Path,
        work_dir: Path,
        on_progress: OnProgress,
    ) -> Mapping[str, torch.Tensor]:
        marker = Settings.load().home / "fitting"
        on_progress(Progress(0.5))
        if not marker.exists():
            marker.with_suffix(".partial").write_text(str(os.getpid()))
            marker.with_suffix(".partial").rename(marker)
            time.sleep(120.0)
        return super().fit(samples, config, parent, work_dir, on_progress)


def retrain_that_hangs_once() -> str:
    """Job for a real worker."""
    return retrain(HangingTrainer())


@dataclass
class Hospital:
    """A catalog with one patient to learn from and three frozen ones, and a blind champion."""

    settings: Settings
    catalog: Catalog
    learning: list[int]
    corrections: int = 0

    @classmethod
    def build(cls, settings: Settings, frozen: int = 3, slices: int = 4) -> "Hospital":
        catalog = Catalog.open(settings.database_url, settings.storage_url)
        hospital = cls(settings, catalog, [])
        hospital.learning = hospital.admit("learner", Split.TRAIN, slices=slices, labelled=False)
        for number in range(frozen):
            hospital.admit(f"frozen {number}", Split.TEST, slices=2, labelled=True)
        card = ModelCard(version=BASE, architecture="threshold", input_size=64, data_licence="none")
        save_version(settings.weights_dir, {"threshold": torch.tensor([BLIND])}, card)
        catalog.versions.ensure_base(BASE)
        return hospital

    def admit(self, patient: str, split: Split, slices: int, labelled: bool) -> list[int]:
        """Slice ids of a new study, each slice with a lesion at its own place."""
        pictures, truths = [], {}
        for index in range(slices):
            row = 4 + 8 * (index % 5) + sum(map(ord, patient)) % 8
            picture = np.full((SIZE, SIZE), 51, dtype=np.uint8)
            picture[row : row + 12, 10:40] = 153
            picture[0, 0] = len(patient) + index
            pictures.append(picture)
            if labelled:
                truths[index] = partial_labels.from_lesion_label_map(lesion_map(picture))
        study, _ = self.catalog.studies.add(
            Study(
                patient,
                patient,
                pictures,
                Intensity.PICTURE,
                Path(patient),
                partial_labels=truths,
                split=split,
            ),
            "images",
        )
        return [item.id for item in self.catalog.slices.of_study(study.id)]

    def correct(self, slice_id: int) -> None:
        """A reader marks exactly the lesion."""
        self.corrections += 1
        item = self.catalog.slices.get(slice_id)
        self.catalog.corrections.add(
            slice_id=slice_id,
            project_uid="1:t",
            task_id=slice_id,
            annotation_id=self.corrections,
            annotation_updated_at="2026-01-01T00:00:00Z",
            state=CorrectionState.SUBMITTED,
            annotator="reader",
            via="test",
            label_map=lesion_map(self.catalog.slices.read_pixels(item)),
        )

    def champion(self) -> str:
        champion = self.catalog.versions.champion()
        assert champion is not None
        return champion.version

    def states(self) -> dict[str, str]:
        return {known.version: known.state.value for known in self.catalog.versions.all()}


def lesion_map(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """(H, W) label map: the bright square is ground-glass."""
    return np.where(picture == 153, np.uint8(Label.GROUND_GLASS), np.uint8(Label.BACKGROUND)).astype(np.uint8)
