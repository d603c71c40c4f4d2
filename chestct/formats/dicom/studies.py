"""DICOM files as studies: grouped by patient, study and series, one lung series a study.

Neither names nor identifiers of a patient leave this module: the patient is a pseudonym made of
PatientID, the study a short hash of its series' UID (docs/adr/0013-dicom-and-archives.md).
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydicom.uid import MediaStorageDirectoryStorage

from chestct.errors import InputError
from chestct.formats.dicom.choosing import best, counted, sentence_of_choice, why_no_slice
from chestct.formats.dicom.header import Header, quietly, read_headers
from chestct.formats.dicom.pixels import is_stored_inverted, read_stack_hu
from chestct.formats.dicom.stack import Stack, doubles, sorted_stack, stack_geometry, without
from chestct.formats.folders import failed
from chestct.intensity import Intensity
from chestct.study import FailedInput, Study

# Every chest CT holds air; without rescale tags, scanner values start at 0.
_NO_AIR_ABOVE_HU = -300
_BROKEN_NAMED_ONE_BY_ONE = 3
# A PatientID is short and often a number: each guess at it must cost something (about 0.1 s).
_PSEUDONYM_ROUNDS = 200_000
_PSEUDONYM_SALT = b"lungloop patient"


@dataclass(frozen=True)
class DicomStudy:
    """A study that was found and chosen by its tags; its pixels are still on disk.

    Args:
        name: from the series' UID, the same wherever the files lie.
        source: the file, or the folder that holds all of its files.
        stack: the chosen series.
        notes: what was chosen and left out.
    """

    name: str
    source: Path
    stack: Stack
    notes: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Each file once, in the order of the stack."""
        return tuple(dict.fromkeys(header.path for header in self.stack.headers))

    def read(self) -> Study:
        """The study with its pixels.

        Raises:
            InputError: pixels are missing, damaged or packed in an unknown way, slices are missing.
        """
        with quietly():
            return self._read()

    def _read(self) -> Study:
        stack, notes = _without_doubles(self.stack)
        geometry, of_geometry = stack_geometry(stack)
        inverted = is_stored_inverted(stack.headers[len(stack.headers) // 2])
        if inverted:
            notes.append("MONOCHROME1 with inverted numbers (dense air at the edge): they were turned back")
        images = np.stack(read_stack_hu(list(stack.headers), inverted=inverted))
        first = stack.headers[0]
        if not first.has_rescale:
            notes.append("no tag tells how stored numbers become HU: they are taken as HU")
        if int(images.min()) > _NO_AIR_ABOVE_HU:
            notes.append(
                f"the darkest voxel is {images.min()} HU; a chest CT in HU holds air near -1000, "
                "so these are no Hounsfield units"
            )
        view = geometry.to_view(images.transpose(2, 1, 0))
        return Study(
            name=self.name,
            patient=pseudonym(first.patient_id)
            if first.patient_id
            else f"p-{_short_hash(_study_key(first))}",
            slices=tuple(np.ascontiguousarray(part) for part in view),
            intensity=Intensity.HU,
            source=self.source,
            geometry=geometry,
            notes=(*self.notes, *of_geometry, *notes),
            dicom_files=tuple(dict.fromkeys(header.path for header in stack.headers)),
        )


def find_dicom_studies(paths: Sequence[Path], root: Path) -> Iterator[DicomStudy | FailedInput]:
    """One study per patient and StudyInstanceUID, by the tags alone; unreadable files come first.

    Args:
        paths: DICOM files, in any order.
        root: where they were looked for, named where no CT is among them.
    """
    slices: defaultdict[str, list[Header]] = defaultdict(list)
    others: defaultdict[str, list[str]] = defaultdict(list)
    broken: list[FailedInput] = []
    for path in paths:
        try:
            with quietly():
                headers = read_headers(path)
            for header in headers:
                kind = why_no_slice(header)
                if header.sop_class == MediaStorageDirectoryStorage:
                    continue
                if kind is None:
                    slices[_study_key(header)].append(header)
                else:
                    others[_study_key(header)].append(kind)
        except InputError as error:
            broken.append(failed(path, error))
    yield from _few(broken, root)
    if not slices and (others or not broken) and paths:
        kinds = counted([kind for listed in others.values() for kind in listed])
        yield FailedInput(
            root, f"holds DICOM but no CT image ({kinds or 'only an index'}); expected a CT series"
        )
    elsewhere = [kind for key, listed in others.items() if key not in slices for kind in listed]
    for place, (key, headers) in enumerate(slices.items()):
        notes = [f"left out: {counted(others[key])}"] if others.get(key) else []
        if place == 0 and elsewhere:
            notes.append(f"left out, of studies without CT: {counted(elsewhere)}")
        yield _study(headers, notes)


def _few(broken: list[FailedInput], root: Path) -> list[FailedInput]:
    """One line for a folder of broken files, not one a slice: a series has hundreds."""
    if len(broken) <= _BROKEN_NAMED_ONE_BY_ONE:
        return broken
    first = broken[0]
    return [
        FailedInput(
            root, f"{len(broken)} DICOM files cannot be read; the first, {first.source}, {first.reason}"
        )
    ]


def pseudonym(patient_id: str) -> str:
    """The same for all studies of a patient, and no way back but guessing every PatientID.

    A pseudonym, not anonymity: whoever knows a PatientID can compute it.
    """
    return f"p-{_slow_hash(patient_id)}"


@cache
def _slow_hash(text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), _PSEUDONYM_SALT, _PSEUDONYM_ROUNDS).hex()[:12]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _study_key(header: Header) -> str:
    """Whose and which study; a file without a study's UID belongs to its folder."""
    return f"{header.patient_id}\n{header.study_uid or header.path.parent}"


def _study(headers: list[Header], notes: list[str]) -> DicomStudy:
    stacks = _stacks(headers)
    chosen = best(stacks)
    first = chosen.headers[0]
    if len(stacks) > 1:
        notes = [sentence_of_choice(chosen, stacks), *notes]
    if not first.modality:
        notes = [
            *notes,
            "the files name no modality: taken as CT, since their kind or their rescale tags say so",
        ]
    files = sorted({header.path for header in chosen.headers})
    source = files[0] if len(files) == 1 else Path(os.path.commonpath([file.parent for file in files]))
    return DicomStudy(
        name=f"ct-{_short_hash(first.series_uid or str(files[0].parent))}",
        source=source,
        stack=chosen,
        notes=tuple(notes),
    )


def _stacks(headers: Iterable[Header]) -> list[Stack]:
    """Series, taken apart where their images do not fit on one grid."""
    groups: list[list[Header]] = []
    for header in headers:
        group = next((group for group in groups if _on_one_grid(group[0], header)), None)
        if group is None:
            groups.append([header])
        else:
            group.append(header)
    stacks = []
    for group in groups:
        stack = sorted_stack(group)
        acquisitions = {header.acquisition for header in group}
        if doubles(stack) and len(acquisitions) > 1:
            # Two passes over the chest in one series: each is a stack of its own.
            stacks += [
                sorted_stack([header for header in group if header.acquisition == acquisition])
                for acquisition in sorted(acquisitions)
            ]
        else:
            stacks.append(stack)
    return stacks


def _on_one_grid(first: Header, second: Header) -> bool:
    """Whether two images can be slices of one volume; tags differ in their last digits."""
    return (
        (first.series_uid or first.path.parent) == (second.series_uid or second.path.parent)
        and first.size == second.size
        and _close(first.orientation, second.orientation, 0.01)
        and _close(first.spacing_mm, second.spacing_mm, 0.001)
    )


def _close(first: tuple[float, ...] | None, second: tuple[float, ...] | None, apart: float) -> bool:
    return all(abs(a - b) <= apart for a, b in zip(first or (), second or (), strict=True))


def _without_doubles(stack: Stack) -> tuple[Stack, list[str]]:
    """Copies of an image are left out; two different images at one place are an error."""
    dropped: set[int] = set()
    for index, copy in doubles(stack):
        first, second = stack.headers[index], stack.headers[copy]
        if first.instance_uid != second.instance_uid or not first.instance_uid:
            pixels = read_stack_hu([first, second])
            if not np.array_equal(pixels[0], pixels[1]):
                raise InputError(
                    second.path,
                    f"lies at the same place as {first.path.name} and shows something else; expected one "
                    "image a place, export one reconstruction of the series",
                )
        dropped.add(copy)
    notes = [f"{len(dropped)} files are copies of others and were left out"] if dropped else []
    return without(stack, dropped), notes
