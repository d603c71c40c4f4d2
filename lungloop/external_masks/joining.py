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

    LABELS = "labels"  # labels of record: they train, and test
    PRELABELS = "prelabels"  # shown to a reader, who corrects them


def with_masks(
    found: Iterable[Study | FailedInput],
    masks: Path,
    labels: MaskLabels | None = None,
    masks_as: MasksAs = MasksAs.LABELS,
) -> Iterator[Study | FailedInput]:
    """The same studies with their masks.

    Without `labels`, a file whose name says "label" is a label map of 0 to 3, a mask of 0 and 1 or
    255 is a lesion of unknown kind, and brushes of Label Studio go by their names.

    Args:
        found: as `discover` yields it.
        masks: a folder or zip archive that is searched through, one file for the only study, or a JSON
            export.
        labels: what the masks' values or names mean.
        masks_as: labels of record (partial where the masks are), or pre-labels.
    Yields:
        Studies, with a note where there was no mask; one whose mask is damaged or does not fit comes as
        FailedInput, and so do masks of which none belongs to any study.
    Raises:
        InputError: there is no such file or folder, or no mask in it.
    """
    if masks.is_file() and is_archive_name(masks):
        with unpacked(masks) as folder:
            for one in _joined_all(found, folder, labels, masks_as):
                yield _told_of_archive(one, folder, masks)
    else:
        yield from _joined_all(found, masks, labels, masks_as)


def _told_of_archive(one: Study | FailedInput, folder: Path, archive: Path) -> Study | FailedInput:
    """Sentences name the archive, not the folder that it was unpacked into."""
    if isinstance(one, FailedInput):
        source = archive if one.source == folder else one.source
        return FailedInput(source, one.reason.replace(str(folder), str(archive)))
    return dataclasses.replace(
        one, notes=tuple(note.replace(str(folder), str(archive)) for note in one.notes)
    )


def _joined_all(
    found: Iterable[Study | FailedInput], masks: Path, labels: MaskLabels | None, masks_as: MasksAs
) -> Iterator[Study | FailedInput]:
    given = _source(masks, labels)
    joined, read = 0, 0
    for study in found:
        if isinstance(study, FailedInput):
            yield study
            continue
        read += 1
        try:
            known = given(study)
        except InputError as error:
            yield FailedInput(study.source, f"its mask cannot be used: {error}")
            joined += 1
            continue
        joined += bool(known)
        yield _joined(study, known, masks_as) if known else _without(study, masks)
    if read and not joined:
        yield FailedInput(masks, "none of its masks is named like a study or slice that was read")


def _source(masks: Path, labels: MaskLabels | None) -> Callable[[Study], _PartialLabels]:
    if is_export_name(masks):
        export = LabelStudioExport.read(masks, labels)
        return export.partial_labels_for
    files = MaskFiles(masks)
    taken: list[Study] = []

    def of(study: Study) -> _PartialLabels:
        if files.single and taken:
            raise InputError(
                masks,
                f"is one mask, and {taken[0].name} has taken it; give a folder of masks with their names",
            )
        taken.append(study)
        return partial_labels_for(study, files, labels)

    return of


def _joined(study: Study, known: _PartialLabels, masks_as: MasksAs) -> Study:
    if masks_as is MasksAs.LABELS:
        return dataclasses.replace(study, partial_labels=known)
    shown = {index: prelabel(one, study.slices[index], study.intensity) for index, one in known.items()}
    return dataclasses.replace(study, prelabels=shown)


def _without(study: Study, masks: Path) -> Study:
    return dataclasses.replace(study, notes=(*study.notes, f"no mask of it was found in {masks}"))
