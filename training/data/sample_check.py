"""What makes a sample or a set of samples unfit to learn from, said in words; nothing here reads or writes.

A flawed slice is set aside by name and the rest trains; a flawed set stops the fit before its first step.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chestct.errors import InputError, TrainingDataError, UnfitSampleError
from chestct.labels import Label
from training.data.dataset import TrainingSample

_Item = TypeVar("_Item")
# So many set-aside samples are spelled out in one sentence; the card names all.
_NAMED = 3


@dataclass(frozen=True)
class SetAside:
    """A sample that is not learned from.

    Args:
        name: of the slice, or the file that could not be read.
        reason: one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Sifted:
    """Samples that can be learned from, and those that cannot."""

    samples: tuple[TrainingSample, ...]
    set_aside: tuple[SetAside, ...] = ()


def sifted(items: Iterable[_Item], make: Callable[[_Item], TrainingSample]) -> Sifted:
    """Makes a sample of each item; what its data forbids is set aside.

    Args:
        items: whatever `make` understands.
        make: raises UnfitSampleError or InputError for a sample that cannot be used.
    """
    samples, aside = [], []
    for item in items:
        try:
            samples.append(make(item))
        except UnfitSampleError as error:
            aside.append(SetAside(error.name, error.reason))
        except InputError as error:
            aside.append(SetAside(error.source, error.reason))
    return Sifted(tuple(samples), tuple(aside))


def sentence(set_aside: Sequence[SetAside]) -> str:
    """One sentence that names what was set aside; empty where nothing was."""
    if not set_aside:
        return ""
    named = "; ".join(f"{aside.name} ({aside.reason})" for aside in set_aside[:_NAMED])
    more = f"; and {len(set_aside) - _NAMED} more" if len(set_aside) > _NAMED else ""
    return f"set aside {len(set_aside)}: {named}{more}"


def missing_classes(samples: Iterable[TrainingSample]) -> list[str]:
    """Classes that no pixel of any sample is known to be, by name; `lesion` where no kind of it is shown."""
    samples = list(samples)
    missing = [label.name.lower() for label in Label if not any(sample.shows(label) for sample in samples)]
    if not any(sample.shows_lesion() for sample in samples):
        missing.insert(0, "lesion")
    return missing


def require_whole_set(fitted: Sequence[TrainingSample], held_out: Sequence[TrainingSample]) -> None:
    """Refuses a set that a first model cannot be fitted on and judged by.

    Args:
        fitted: labelled slices to learn from, phantoms not among them.
        held_out: those to judge by.
    Raises:
        TrainingDataError: a class is shown by no slice, one patient only, or nobody is held out.
    """
    if not fitted:
        raise TrainingDataError("there is no training sample; label some slices first")
    if missing := missing_classes(fitted):
        raise TrainingDataError(
            f"none of the {len(fitted)} training slices shows {', '.join(missing)}; a model fitted on them "
            "would never name it: add slices on which it is labelled"
        )
    patients = {sample.patient for sample in fitted}
    if len(patients) < 2:
        raise TrainingDataError(
            f"all {len(fitted)} training slices are of one patient, {patients.pop()}; expected 2 or more"
        )
    if not held_out:
        raise TrainingDataError(
            "no patient is held out, so nothing could tell how good the model is; mark one as dev-validation"
        )


def cautions(samples: Sequence[TrainingSample]) -> list[str]:
    """What a reader of a retrained model's card should know of the data it learned from."""
    notes = []
    if missing := missing_classes(samples):
        notes.append(f"no sample shows {', '.join(missing)}")
    if len({sample.patient for sample in samples}) == 1:
        notes.append("all samples are of one patient")
    return notes
