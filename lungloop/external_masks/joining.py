"""`import --masks`: studies with the masks that lie apart from them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.formats.archives import is_archive_name, unpacked
from chestct.study import FailedInput, Study
from lungloop.external_masks.index import MaskFiles
from lungloop.external_masks.label_studio_export import LabelStudioExport, is_export_name
from lungloop.external_masks.of_study import partial_labels_for
from lungloop.external_masks.prelabels import prelabel
from lungloop.external_masks.targets import MaskLabels

_PartialLabels = dict[int, npt.NDArray[np.uint8]]


class MasksAs(StrEnum):
    """What masks made elsewhere become."""

    LABELS = "labels"  # reference labels: they train, and test
    PRELABELS = "prelabels"  # shown to a reader, who corrects them


def with_masks(
    studies: Iterable[Study | FailedInput],
    masks: Path,
    labels: MaskLabels | None = None,
    masks_as: MasksAs = MasksAs.LABELS,
) -> Iterator[Study | FailedInput]:
    """The same studies with their masks.

    Without `labels`, a file whose name says "label" is a label map of 0 to 3, a mask of 0 and 1 or
    255 is a lesion of unknown kind, and brushes of Label Studio go by their names.

    Args:
        studies: as `discover` yields it.
        masks: a folder or zip archive that is searched through, one file for the only study, or a JSON
            export.
        labels: what the masks' values or names mean.
        masks_as: reference labels (partial where the masks are), or pre-labels.
    Yields:
        Studies, with a note where there was no mask; one whose mask is damaged or does not fit comes as
        FailedInput, and so do masks of which none belongs to any study.
    Raises:
        InputError: there is no such file or folder, or no mask in it.
    """
    if masks.is_file() and is_archive_name(masks):
        with unpacked(masks) as folder:
            for study in _joined_all(studies, folder, labels, masks_as):
                yield _naming_the_archive(study, folder, masks)
    else:
        yield from _joined_all(studies, masks, labels, masks_as)


def _naming_the_archive(study: Study | FailedInput, folder: Path, archive: Path) -> Study | FailedInput:
    """Sentences name the archive, not the folder that it was unpacked into."""
    if isinstance(study, FailedInput):
        source = archive if study.source == folder else study.source
        return FailedInput(source, study.reason.replace(str(folder), str(archive)))
    notes = tuple(note.replace(str(folder), str(archive)) for note in study.notes)
    return dataclasses.replace(study, notes=notes)


def _joined_all(
    studies: Iterable[Study | FailedInput], masks: Path, labels: MaskLabels | None, masks_as: MasksAs
) -> Iterator[Study | FailedInput]:
    read_masks = _reader(masks, labels)
    joined, read = 0, 0
    for study in studies:
        if isinstance(study, FailedInput):
            yield study
            continue
        read += 1
        try:
            partial_labels = read_masks(study)
        except InputError as error:
            yield FailedInput(study.source, f"its mask cannot be used: {error}")
            joined += 1
            continue
        joined += bool(partial_labels)
        if not partial_labels:
            note = f"no mask of it was found in {masks}"
            yield dataclasses.replace(study, notes=(*study.notes, note))
        elif masks_as is MasksAs.LABELS:
            yield dataclasses.replace(study, partial_labels=partial_labels)
        else:
            yield dataclasses.replace(study, prelabels=_prelabels(study, partial_labels))
    if read and not joined:
        yield FailedInput(masks, "none of its masks is named like a study or slice that was read")


def _prelabels(study: Study, partial_labels: _PartialLabels) -> dict[int, npt.NDArray[np.uint8]]:
    return {
        index: prelabel(labels, study.slices[index], study.intensity)
        for index, labels in partial_labels.items()
    }


def _reader(masks: Path, labels: MaskLabels | None) -> Callable[[Study], _PartialLabels]:
    if is_export_name(masks):
        return LabelStudioExport.read(masks, labels).partial_labels_for
    files = MaskFiles(masks)
    taken: list[Study] = []

    def read(study: Study) -> _PartialLabels:
        if files.single and taken:
            raise InputError(
                masks,
                f"is one mask, and {taken[0].name} has taken it; give a folder of masks with their names",
            )
        taken.append(study)
        return partial_labels_for(study, files, labels)

    return read
