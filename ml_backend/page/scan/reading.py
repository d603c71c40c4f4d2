"""From uploaded files to kept studies, one study in memory at a time."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.archives import is_archive_name, unpacked
from chestct.formats.images import SUFFIXES as PICTURE_SUFFIXES
from chestct.formats.layouts import discover
from chestct.formats.nifti import SUFFIXES as NIFTI_SUFFIXES
from chestct.study import FailedInput
from ml_backend.page.scan.kept_study import StudyFacts, numbered_study
from ml_backend.page.scan.record import Failure, Scan, Upload

# Twice the longest chest CT: an archive of studies must not keep the model busy for a day.
MOST_SLICES = 4096
_ENDINGS = (*NIFTI_SUFFIXES, *PICTURE_SUFFIXES, ".zip", ".dcm", ".npy", ".tif", ".tiff")
_MOST_STEM_CHARACTERS = 60


def keep_studies(folder: Path, scan: Scan) -> Iterator[StudyFacts | Failure]:
    """Reads every upload; yields each study once it is kept, and what cannot be used."""
    number = slices = 0
    names: set[str] = set()
    stems: set[str] = set()
    for source in _sources(folder, scan):
        # An archive is unpacked inside the scan's own folder, so that it is deleted with it.
        inside = unpacked(source.path, within=source.path.parent) if source.is_archive else nullcontext(None)
        try:
            with inside as unpacked_to:
                root = unpacked_to or source.path
                for study in discover([root]):
                    name = source.name_of(study.source, root)
                    if isinstance(study, FailedInput):
                        yield Failure(name, source.without_paths(study.reason, root))
                        continue
                    if name in names:
                        name = f"{name} ({study.name})"
                    if slices + len(study.slices) > MOST_SLICES:
                        yield Failure(name, f"exceeds the limit of {MOST_SLICES} slices in one upload")
                        continue
                    number, slices = number + 1, slices + len(study.slices)
                    names.add(name)
                    stem = _unused(stem_of(name), stems)
                    notes = tuple(source.without_paths(note, root) for note in study.notes)
                    yield numbered_study(folder, number).keep(study, name, stem, notes)
        except InputError as error:
            yield Failure(source.uploads[0].name, source.without_paths(error.reason, source.path))


def stem_of(name: str) -> str:
    """A shown name as the stem of result files: letters of any language, digits, `.`, `-`, `_`."""
    lower = name.lower()
    ending = next(filter(lower.endswith, _ENDINGS), "")
    stem = re.sub(r"[^\w.-]+", "_", name[: len(name) - len(ending)]).strip("._")
    return stem[:_MOST_STEM_CHARACTERS] or "scan"


@dataclass(frozen=True)
class _Source:
    """What is looked at as one: a file, or the folder that the slices of DICOM series share."""

    folder: Path
    path: Path
    uploads: tuple[Upload, ...]

    @property
    def is_archive(self) -> bool:
        return self.path.is_file() and is_archive_name(self.path)

    def name_of(self, path: Path, root: Path) -> str:
        """The sender's name of something that was found: of the file, or of a place in an archive."""
        sent = {self.folder / upload.file: upload.name for upload in self.uploads}
        if path in sent:
            return sent[path]
        first, others = self.uploads[0].name, len(self.uploads) - 1
        if others:
            return f"{first} (+{others})"
        if self.is_archive and path != root and path.is_relative_to(root):
            return f"{first}: {path.relative_to(root).as_posix()}"
        return first

    def without_paths(self, sentence: str, root: Path) -> str:
        """A sentence without paths that only this machine knows."""
        for upload in self.uploads:
            sentence = sentence.replace(str(self.folder / upload.file), upload.name)
        return sentence.replace(f"{root}/", "").replace(str(root), self.uploads[0].name)


def _sources(folder: Path, scan: Scan) -> Iterator[_Source]:
    series = tuple(upload for upload in scan.uploads if Path(upload.file).parent.name == "dicom")
    if series:
        yield _Source(folder, folder / "upload" / "dicom", series)
    for upload in scan.uploads:
        if upload not in series:
            yield _Source(folder, folder / upload.file, (upload,))


def _unused(stem: str, taken: set[str]) -> str:
    numbered = (f"{stem}-{number}" for number in count(2))
    unused = next(name for name in chain([stem], numbered) if name.lower() not in taken)
    taken.add(unused.lower())
    return unused
