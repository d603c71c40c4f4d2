"""What speaks for and against a challenger: scores on test patients, crossed scores, signs of damage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chestct.catalog.records import VersionRecord
from training.data.dataset import TrainingSample
from training.data.snapshot import Truth
from training.data.snapshot_samples import RetrainSamples
from training.evaluate import UnitSegmenter, score_patients
from training.retraining.crossing import CrossedEvidence
from training.retraining.gate_evidence import (
    FEWEST_PATIENTS,
    DamageEvidence,
    EvidenceSource,
    Pair,
    SliceChange,
    SlicePair,
    UnseenEvidence,
    strongest,
)
from training.retraining.looks import earlier_looks

# Both models look at so many slices without labels; a collapse shows on any of them.
_SLICES_OF_CHANGES = 24


@dataclass(frozen=True)
class Evidence:
    """All that the gate decides on.

    Args:
        test: pairs on test patients, whatever their evidence was used for.
    """

    unseen: UnseenEvidence
    open_studies: tuple[SlicePair, ...]
    damage: DamageEvidence
    test: tuple[Pair, ...]


def wants_crossed_patients(test: Sequence[TrainingSample]) -> bool:
    """Whether test patients are too few to decide about patients never seen."""
    return len({sample.patient for sample in test if sample.shows_lesion()}) < FEWEST_PATIENTS


def gathered(
    champion: UnitSegmenter,
    challenger: UnitSegmenter,
    samples: RetrainSamples,
    crossed: CrossedEvidence,
    versions: Sequence[VersionRecord],
) -> Evidence:
    """Scores both models on what the challenger has not seen."""

    def pairs(scored: Sequence[TrainingSample]) -> tuple[Pair, ...]:
        models = (champion, challenger)
        before, after = (score_patients(model, scored) for model in models)
        return tuple(zip(before, after, strict=True))

    own = pairs([sample for sample in samples.test if sample.source == Truth.TEST_READING])
    reference = pairs([sample for sample in samples.test if sample.source == Truth.REFERENCE])
    looks = {
        EvidenceSource.OWN_TEST: earlier_looks(versions, own),
        EvidenceSource.REFERENCE: earlier_looks(versions, reference, with_old_decisions=True),
        EvidenceSource.OWN_AND_REFERENCE: earlier_looks(versions, (*own, *reference)),
        EvidenceSource.CROSSED: earlier_looks(versions, crossed.patients),
    }
    looked_at = [*(item.sample for item in samples.corrected), *samples.replay]
    step = max(1, len(looked_at) // _SLICES_OF_CHANGES)
    unseen = strongest(own, reference, crossed.patients, looks)
    if not crossed.patients:
        # Not held back, but there: what is missing is told by them.
        corrected = {item.sample.patient for item in samples.corrected if item.sample.shows_lesion()}
        unseen = replace(unseen, found={**unseen.found, EvidenceSource.CROSSED: len(corrected)})
    return Evidence(
        unseen,
        crossed.slices,
        DamageEvidence(
            pairs(samples.phantoms),
            tuple(_change(champion, challenger, sample) for sample in looked_at[::step]),
        ),
        (*own, *reference),
    )


def _change(champion: UnitSegmenter, challenger: UnitSegmenter, sample: TrainingSample) -> SliceChange:
    before, after = (
        model.label_map(model.unit_probabilities(sample.image)) for model in (champion, challenger)
    )
    return SliceChange.of(sample.patient, before, after)
