"""From uploaded files to kept studies, one study in memory at a time."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.archives import is_archive_name, unpacked
from chestct.formats.images import SUFFIXES as PICTURE_SUFFIXES
from chestct.formats.layouts import discover
from chestct.formats.nifti import SUFFIXES as NIFTI_SUFFIXES
from chestct.study import FailedInput
from ml_backend.page.scan.kept_study import KeptStudy, StudyFacts
from ml_backend.page.scan.record import Failure, Scan, Upload

# Twice the longest chest CT: an archive of studies must not keep the model busy for a day.
MOST_SLICES = 4096
_ENDINGS = (*NIFTI_SUFFIXES, *PICTURE_SUFFIXES, ".zip", ".dcm", ".npy", ".tif", ".tiff")
_MOST_STEM_CHARACTERS = 60


def study_folder(folder: Path, number: int) -> Path:
    """Where the study of that number lies, counted from 1."""
    return folder / "studies" / f"{number:04d}"


def keep_studies(folder: Path, scan: Scan) -> Iterator[StudyFacts | Failure]:
    """Reads every upload and keeps its studies.

    Args:
        folder: the scan's.
        scan: its record, with the uploads.
    Yields:
        Each study once it is kept, and what cannot be used.
    """
    number = slices = 0
    names: set[str] = set()
    stems: set[str] = set()
    for source in _sources(folder, scan):
        # An archive is unpacked inside the scan's own folder, so that it is deleted with it.
        inside = unpacked(source.path, within=source.path.parent) if source.is_archive else nullcontext(None)
        try:
            with inside as unpacked_to:
                root = unpacked_to or source.path
                for found in discover([root]):
                    name = source.name_of(found.source, root)
                    if isinstance(found, FailedInput):
                        yield Failure(name, source.told(found.reason, root))
                        continue
                    if name in names:
                        name = f"{name} ({found.name})"
                    if slices + len(found.slices) > MOST_SLICES:
                        yield Failure(name, f"is too much: one upload may hold {MOST_SLICES} slices in all")
                        continue
                    number, slices = number + 1, slices + len(found.slices)
                    names.add(name)
                    stem = _unused(stem_of(name), stems)
                    notes = tuple(source.told(note, root) for note in found.notes)
                    yield KeptStudy(study_folder(folder, number)).keep(found, name, stem, notes)
        except InputError as error:
            yield Failure(source.uploads[0].name, source.told(error.reason, source.path))


def stem_of(name: str) -> str:
    """A shown name as the stem of result files: letters of any language, digits, `.`, `-`, `_`."""
    lower = name.lower()
    ending = next((one for one in _ENDINGS if lower.endswith(one)), "")
    stem = re.sub(r"[^\w.-]+", "_", name[: len(name) - len(ending)]).strip("._")
    return stem[:_MOST_STEM_CHARACTERS] or "scan"


@dataclass(frozen=True)
class _Source:
    """What is looked at as one: a file, or the folder that the slices of DICOM series share.

    Args:
        folder: the scan's.
        path: what is read.
        uploads: the files in it, as they were sent.
    """

    folder: Path
    path: Path
    uploads: tuple[Upload, ...]

    @property
    def is_archive(self) -> bool:
        return self.path.is_file() and is_archive_name(self.path)

    def name_of(self, found: Path, root: Path) -> str:
        """The sender's name of something that was found: of the file, or of a place in an archive."""
        sent = {self.folder / one.file: one.name for one in self.uploads}
        if found in sent:
            return sent[found]
        first, others = self.uploads[0].name, len(self.uploads) - 1
        if others:
            return f"{first} (+{others})"
        if self.is_archive and found != root and found.is_relative_to(root):
            return f"{first}: {found.relative_to(root).as_posix()}"
        return first

    def told(self, sentence: str, root: Path) -> str:
        """A sentence without paths that only this machine knows."""
        for one in self.uploads:
            sentence = sentence.replace(str(self.folder / one.file), one.name)
        return sentence.replace(f"{root}/", "").replace(str(root), self.uploads[0].name)


def _sources(folder: Path, scan: Scan) -> Iterator[_Source]:
    series = tuple(one for one in scan.uploads if Path(one.file).parent.name == "dicom")
    if series:
        yield _Source(folder, folder / "upload" / "dicom", series)
    for one in scan.uploads:
        if one not in series:
            yield _Source(folder, folder / one.file, (one,))


def _unused(stem: str, taken: set[str]) -> str:
    unused, count = stem, 2
    while unused.lower() in taken:
        unused, count = f"{stem}-{count}", count + 1
    taken.add(unused.lower())
    return unused
