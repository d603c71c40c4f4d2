"""What a retrain gains on corrected slices that its fit has not seen: fitted crosswise, scored on the rest.

Fits on a part of the corrections are scored on the part that they did not see, at several averages with the
champion's weights. Which average a fold's evidence is of is chosen on the *other* folds, so that the choice
does not flatter it.

Source: cross-fitting, Chernozhukov et al. 2018, arXiv 1608.00060.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chestct.progress import OnProgress, part_of
from training.data.dataset import TrainingSample
from training.data.snapshot_samples import CorrectedSlice
from training.evaluate import UnitSegmenter, score_patients, score_slices
from training.evaluate.patient_score import PatientScore
from training.fitting.config import FitConfig
from training.retraining.folds import Fold, patient_folds, slice_folds
from training.retraining.gate_evidence import FEWEST_SLICES_FOR_PATIENTS, Pair, SlicePair
from training.retraining.recipe import NEW_SHARES, averaged
from training.retraining.trainer import Model, Trainer

# By slice or by patient; the order of the scores is the same for every model.
_Score = Callable[[UnitSegmenter, Sequence[TrainingSample]], list[PatientScore]]


@dataclass(frozen=True)
class CrossedEvidence:
    """What crossed fits show.

    Args:
        slices: every corrected slice, by a fit that did not see it.
        patients: every corrected patient, by a fit that saw no slice of theirs; empty where not tried.
        new_share: share of new weights in the average that gains most, for the fit on everything.
    """

    slices: tuple[SlicePair, ...] = ()
    patients: tuple[Pair, ...] = ()
    new_share: float = 1.0


@dataclass(frozen=True, eq=False)
class Crossing:
    """Fits folds of the corrections and scores what they held back.

    Args:
        champion: card and weights that every fit starts from.
        segmenter: the champion's, loaded already.
        corrected: slices that folds hold back; `replay` is learned from in every fit.
        config: number of corrected slices -> settings of a fit on them.
        parent: the champion's folder.
        work_dir: keeps each fit's checkpoint.
    """

    trainer: Trainer
    champion: Model
    segmenter: UnitSegmenter
    corrected: Sequence[CorrectedSlice]
    replay: Sequence[TrainingSample]
    config: Callable[[int], FitConfig]
    parent: Path
    work_dir: Path

    def evidence(self, *, of_patients: bool, on_progress: OnProgress) -> CrossedEvidence:
        """Crosses by slice, and by patient where asked for.

        Args:
            of_patients: whether patients are held back too, which costs three fits more. They are not where
                nothing is gained on slices, and not before there are enough slices: each look at patients
                makes the next one weaker, and the first is worth most (`gate_statistics`).
        """
        folds = slice_folds([(item.study, item.index) for item in self.corrected])
        by_slice = self._held_back("slice", folds, score_slices, part_of(on_progress, 0.0, 0.4, ""))
        by_patient = _HeldBack(())
        enough = len(self.corrected) >= FEWEST_SLICES_FOR_PATIENTS
        if of_patients and enough and by_slice.gain(best_share(by_slice.gain)) > 0:
            folds_of_patients = patient_folds([item.sample.patient for item in self.corrected])
            on_fit = part_of(on_progress, 0.4, 0.6, "")
            by_patient = self._held_back("patient", folds_of_patients, score_patients, on_fit)
        positions = [position for fold in folds for position in sorted(fold.held_back)]
        pairs = by_slice.fair_pairs(beside=by_patient)
        slices = [
            SlicePair(self.corrected[position].study, self.corrected[position].index, before, after)
            for position, (before, after) in zip(positions, pairs, strict=True)
        ]
        return CrossedEvidence(
            tuple(slices),
            by_patient.fair_pairs(beside=by_slice),
            best_share(lambda share: by_slice.gain(share) + by_patient.gain(share)),
        )

    def _held_back(
        self, kind: str, folds: Sequence[Fold], score: _Score, on_progress: OnProgress
    ) -> "_HeldBack":
        card, old = self.champion
        scored = []
        for number, fold in enumerate(folds):
            held_back = [self.corrected[position].as_read for position in sorted(fold.held_back)]
            learned = [
                item.sample for position, item in enumerate(self.corrected) if position not in fold.held_back
            ]
            new = self.trainer.fit(
                [*learned, *self.replay],
                self.config(len(learned)),
                self.parent,
                self.work_dir / f"without-{kind}s-{number}",
                part_of(on_progress, number / len(folds), 1 / len(folds), f"crossing by {kind}"),
            )
            before = score(self.segmenter, held_back)
            pairs = {}
            for share in NEW_SHARES:
                after = score(self.trainer.segmenter(card, averaged(old, new, share)), held_back)
                pairs[share] = tuple(zip(before, after, strict=True))
            scored.append(pairs)
        return _HeldBack(tuple(scored))


@dataclass(frozen=True)
class _HeldBack:
    """For each fold: share of new weights -> scores of what it held back."""

    folds: tuple[dict[float, tuple[Pair, ...]], ...]

    def gain(self, share: float, without: int | None = None) -> float:
        """Mean gain in lesion Dice over what shows a lesion, in all folds but one."""
        gains = [
            after.lesion_dice - before.lesion_dice
            for number, fold in enumerate(self.folds)
            if number != without
            for before, after in fold[share]
            if before.has_lesion
        ]
        return float(np.mean(gains)) if gains else 0.0

    def fair_pairs(self, beside: "_HeldBack") -> tuple[Pair, ...]:
        """Each fold's scores at the share that the other folds choose, with what else speaks for a share."""

        def chosen(number: int) -> float:
            return best_share(lambda share: self.gain(share, without=number) + beside.gain(share))

        return tuple(pair for number, fold in enumerate(self.folds) for pair in fold[chosen(number)])


def best_share(gain: Callable[[float], float]) -> float:
    """The share of new weights that gains most; of equal ones the smallest, which forgets least."""
    return max(NEW_SHARES, key=lambda share: (gain(share), -share))
