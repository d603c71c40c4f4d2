"""What there is to segment, and where each result belongs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from chestct.formats.folders import natural_key
from chestct.formats.nifti import nifti_stem
from chestct.formats.sources import Kind, Source, find_sources, one_by_one


@dataclass(frozen=True)
class SegmentInput:
    """One file, or the files of one DICOM study.

    Args:
        path: the file, or the folder of a DICOM study; or what cannot be read, with `error`.
        stem: its results' path below the output folder, without ending ("case-1/000").
        source: how it is read.
        error: why it cannot be segmented, None where nothing is known against it yet.
    """

    path: Path
    stem: Path
    source: Source
    error: str | None = None


def find_inputs(paths: Sequence[Path], out: Path) -> list[SegmentInput]:
    """Every picture, volume, array, archive and DICOM study of the paths; no pixels are read.

    A DICOM study is named after the folder that holds its files. Results of an earlier run are passed
    over, also where they lie among the inputs. No input's results overwrite another's.

    Args:
        paths: files and folders, searched as `chestct.formats.sources` says.
        out: where the results will go.
    """
    skip = out.resolve()
    inputs: list[SegmentInput] = []
    for _, group in groupby(find_sources(paths, skip=skip), key=lambda source: source.named):
        sources = [alone for source in group for alone in one_by_one(source, skip)]
        inputs += [_input(source, sources) for source in sorted(sources, key=_order)]
    return list(_without_same_results(inputs))


def _order(source: Source) -> tuple[object, ...]:
    """DICOM, which is found at all depths, first; then as the tree would be walked."""
    return source.kind is not Kind.DICOM, *(natural_key(part) for part in source.place.parts)


def _input(source: Source, sources: Sequence[Source]) -> SegmentInput:
    """`case-1` for the study in case-1/; studies that share a folder get their own names in it."""
    stem = source.place
    if source.path.is_file():
        stem = stem.with_name(nifti_stem(source.path))
    if not stem.name:
        stem = Path(source.root.resolve().name)
    if len({other.files[0] for other in sources if other.files and other.path == source.path}) > 1:
        stem /= source.name
    return SegmentInput(source.path, stem, source, source.reason or None)


def _without_same_results(inputs: Sequence[SegmentInput]) -> Iterator[SegmentInput]:
    """`a.jpg` beside `a.png` keeps its ending in the results' names; the same name twice is an error."""
    taken: dict[Path, Path] = {}
    files: set[Path] = set()
    for item in inputs:
        if item.error is not None:
            yield item
            continue
        # Several studies may lie in one folder; what tells them apart is their first file.
        file = item.source.files[0].resolve()
        if file not in files:
            files.add(file)
            stem = item.stem if item.stem not in taken else item.stem.with_name(item.path.name)
            other = taken.setdefault(stem, item.path)
            reason = f"would get the same results as {other}; segment it into another --out"
            yield replace(item, stem=stem, error=None if other == item.path else reason)
