"""Brush masks out of a Label Studio JSON export, of this project or of any other."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.study import Study
from lungloop.external_masks.targets import (
    MaskLabels,
    Target,
    normalised,
    partial_labels_of_targets,
    target_named,
)
from ml_backend.label_studio import brush_rle

_PartialLabels = dict[int, npt.NDArray[np.uint8]]
# A thousand slices with large brushes; the whole of it is held in memory.
_MAX_BYTES = 2**30
# Where brushes overlap the later of these wins, as in `ml_backend.label_studio.results`.
_PAINTED_IN_ORDER = (Target.LUNG, Target.LESION, Target.GROUND_GLASS, Target.CONSOLIDATION)
# What Label Studio puts before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile("^[0-9a-f]{8}-")
# Regions that draw, but not with a brush.
_OTHER_SHAPES = ("polygonlabels", "rectanglelabels", "ellipselabels", "keypointlabels")


def is_export_name(path: Path) -> bool:
    """Whether a file is named like an export."""
    return path.name.lower().endswith(".json") and path.is_file()


@dataclass(frozen=True)
class _Drawn:
    """One slice as its reader left it: regions, and the names by which it may be known."""

    study: str | None
    index: int | None
    picture: str
    regions: tuple[Mapping[str, Any], ...]


class LabelStudioExport:
    """The newest submitted annotation of each slice.

    Args:
        path: the export.
        drawn: its slices.
        labels: what its brushes mean; None goes by their names.
    """

    def __init__(self, path: Path, drawn: list[_Drawn], labels: MaskLabels | None) -> None:
        self._path = path
        self._labels = labels
        self._by_index = {(part.study, part.index): part for part in drawn if part.study is not None}
        self._by_picture = {part.picture: part for part in drawn}
        brushes = [(region, part.picture) for part in drawn for region in part.regions]
        # A slice without a region was looked at for what the readers of this export draw elsewhere.
        self._named = frozenset(
            target for region, picture in brushes for target in self._targets(region, picture)
        ) or frozenset({Target.LESION})

    @classmethod
    def read(cls, path: Path, labels: MaskLabels | None) -> "LabelStudioExport":
        """Reads a JSON export (not JSON-MIN, which keeps no sizes).

        Raises:
            InputError: not such an export, or nothing in it was submitted.
        """
        with reading(path):
            if path.stat().st_size > _MAX_BYTES:
                raise InputError(
                    path, f"is larger than {_MAX_BYTES // 2**20} MiB; export fewer tasks at a time"
                )
            no_json = "is no JSON ({error}); expected an export of Label Studio"
            with refusing(path, (ValueError, RecursionError), no_json):
                tasks = json.loads(path.read_bytes())
        if not isinstance(tasks, list) or not all(
            isinstance(task, Mapping) and isinstance(task.get("data"), Mapping) for task in tasks
        ):
            raise InputError(path, "is no list of tasks with data; export from Label Studio as JSON")
        drawn = [part for task in tasks for part in _slices_of_task(task)]
        if not drawn:
            raise InputError(
                path, "holds no submitted annotation; export from Label Studio as JSON, not JSON-MIN"
            )
        return cls(path, drawn, labels)

    def partial_labels_for(self, study: Study) -> _PartialLabels:
        """Slice index -> partial labels of the slices that were annotated.

        Raises:
            InputError: a brush is damaged, of another size, or its name says nothing.
        """
        by_slice: _PartialLabels = {}
        for index, pixels in enumerate(study.slices):
            drawn = self._by_index.get((study.name, index))
            if drawn is None and study.slice_names:
                drawn = self._by_picture.get(Path(study.slice_names[index]).stem)
            if drawn is not None:
                partial_labels = self._partial_labels(drawn, (pixels.shape[0], pixels.shape[1]))
                if partial_labels is not None:
                    by_slice[index] = partial_labels
        return by_slice

    def _partial_labels(self, drawn: _Drawn, shape: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
        painted: dict[Target, npt.NDArray[np.bool_]] = {}
        for region in drawn.regions:
            mask = self._mask(region, drawn.picture, shape)
            for target in self._targets(region, drawn.picture):
                painted[target] = painted[target] | mask if target in painted else mask
        targets = np.zeros(shape, np.uint8)
        for target in _PAINTED_IN_ORDER:
            if target in painted:
                targets[painted[target]] = target
        return partial_labels_of_targets(targets, self._named)

    def _mask(self, region: Mapping[str, Any], picture: str, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        value = region.get("value")
        if (
            region.get("type") != "brushlabels"
            or not isinstance(value, Mapping)
            or value.get("format") != "rle"
        ):
            raise InputError(
                self._path, f"has a {region.get('type')} region on {picture}; expected brush masks in RLE"
            )
        size = (region.get("original_height"), region.get("original_width"))
        if size != shape or region.get("image_rotation"):
            raise InputError(
                self._path,
                f"has a brush on a picture of {size[1]} x {size[0]} for {picture}, which is {shape[1]} x "
                f"{shape[0]}; they must agree, unturned",
            )
        try:
            return brush_rle.decode_mask(value.get("rle", []), *shape)
        except InputError as error:
            raise InputError(self._path, f"has a damaged brush on {picture}: {error}") from error

    def _targets(self, region: Mapping[str, Any], picture: str) -> Iterator[Target]:
        value = region.get("value")
        names = value.get("brushlabels") if isinstance(value, Mapping) else None
        if region.get("type") != "brushlabels" or not isinstance(names, list) or not names:
            raise InputError(
                self._path,
                f"has a {region.get('type')} region on {picture}; expected labelled brush masks in RLE",
            )
        for name in names:
            target = (self._labels or {}).get(normalised(str(name)), target_named(str(name)))
            if target is None:
                raise InputError(
                    self._path,
                    f"has a brush named {str(name)!r} on {picture}, and nothing says what it is; give for "
                    f'example --mask-labels "{name}=lesion"',
                )
            yield target


def _slices_of_task(task: Mapping[str, Any]) -> Iterator[_Drawn]:
    annotations = [
        item
        for item in task.get("annotations") or []
        if isinstance(item, Mapping)
        and not item.get("was_cancelled")
        and isinstance(item.get("result"), list)
    ]
    if not annotations:
        return
    newest = max(
        annotations, key=lambda item: (bool(item.get("ground_truth")), str(item.get("updated_at") or ""))
    )
    regions = [
        region
        for region in newest["result"]
        if isinstance(region, Mapping) and region.get("type") in ("brushlabels", *_OTHER_SHAPES)
    ]
    data = task["data"]
    study = data.get("study") if isinstance(data.get("study"), str) else None
    pictures, indices = _pictures(data)
    for item, picture in enumerate(pictures):
        own = tuple(region for region in regions if (region.get("item_index") or 0) == item)
        yield _Drawn(study, indices[item] if item < len(indices) else None, picture, own)


def _pictures(data: Mapping[str, Any]) -> tuple[list[str], list[int | None]]:
    """Stems of the pictures that a task shows, and their slices where the task names them."""
    several = data.get("images")
    if isinstance(several, list):
        listed = data.get("slice")
        indices = (
            [number if isinstance(number, int) else None for number in listed]
            if isinstance(listed, list)
            else []
        )
        return [_stem(str(picture)) for picture in several], indices
    number = data.get("slice")
    texts = [data.get("image"), *data.values()]
    picture = next((text for text in texts if isinstance(text, str)), "")
    return [_stem(picture)], [number if isinstance(number, int) else None]


def _stem(address: str) -> str:
    """`000` of `/data/upload/1/0a1b2c3d-000.png` and of `/data/local-files/?d=ct/000.png`."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d", [""])[0]
    name = PurePosixPath(local or unquote(parts.path)).name
    return PurePosixPath(_UPLOAD_PREFIX.sub("", name)).stem
