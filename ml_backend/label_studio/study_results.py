"""Annotations of study tasks, read back slice by slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.labels import SeverityGrade
from ml_backend.label_studio.label_config import ALL_SLICES_VIEWED, LabelConfig
from ml_backend.label_studio.results import read_label_map

_UNTOUCHED = "prediction"


@dataclass(frozen=True, eq=False)
class StudyReading:
    """What an annotation of a study task says.

    Args:
        label_maps: of each slice of the task, (H, W) uint8 as submitted; None where the slice came
            back untouched and the reader did not say that all were viewed.
        grade: the reader's; None where none was chosen.
        model_grade: what the prediction showed; None where it showed none.
    """

    label_maps: tuple[npt.NDArray[np.uint8] | None, ...]
    grade: SeverityGrade | None
    model_grade: SeverityGrade | None


def read_study(
    result: Sequence[object],
    config: LabelConfig,
    sizes: Sequence[tuple[int, int]],
    prediction: Sequence[object] | None,
) -> StudyReading:
    """Which slices the reader corrected, and to what (docs/adr/0016).

    Args:
        sizes: (height, width) of each slice, in the order of the task's pictures.
        prediction: `result` of the prediction that the annotation started from; None where it started from
            nothing or the prediction cannot be read any more: then a slice counts as corrected where a
            region on it does not say that it came from a prediction and was left alone.
    Raises:
        InputError: an entry is not shaped as Label Studio's, or lies on a slice that the task lacks.
        LabelConfigError: a brush names a tag or a label that the configuration lacks.
    """
    after = _by_item(result, len(sizes))
    before = None if prediction is None else _by_item(prediction, len(sizes))
    viewed = _choice(result, config.viewed_tag) == ALL_SLICES_VIEWED
    label_maps: list[npt.NDArray[np.uint8] | None] = []
    for item, size in enumerate(sizes):
        touched = _is_touched(after[item], None if before is None else before[item], config, size)
        label_maps.append(read_label_map(after[item], config, *size) if touched or viewed else None)
    return StudyReading(
        tuple(label_maps), _grade(result, config), None if prediction is None else _grade(prediction, config)
    )


def _by_item(result: Sequence[object], count: int) -> list[list[Mapping[str, Any]]]:
    """The brush regions of each slice."""
    regions: list[list[Mapping[str, Any]]] = [[] for _ in range(count)]
    for entry in result:
        if not isinstance(entry, Mapping):
            raise InputError("annotation", f"holds {type(entry).__name__} as a region, expected an object")
        if entry.get("type") != "brushlabels":
            continue
        # Label Studio 1.23 shows a region without an index on the first picture.
        item = entry.get("item_index", 0)
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item < count:
            raise InputError(
                "annotation", f"has a region on item_index {item!r}; the task shows {count} slices from 0"
            )
        regions[item].append(entry)
    return regions


def _is_touched(
    after: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]] | None,
    config: LabelConfig,
    size: tuple[int, int],
) -> bool:
    if before is None:
        return any(region.get("origin") != _UNTOUCHED for region in after)
    # Regions that were left alone come back exactly, so most slices need no decoding.
    if [region.get("value") for region in after] == [region.get("value") for region in before]:
        return False
    return not np.array_equal(read_label_map(after, config, *size), read_label_map(before, config, *size))


def _grade(result: Sequence[object], config: LabelConfig) -> SeverityGrade | None:
    """The grade among the choices; None where there is none, or one that is no grade of ours."""
    chosen = _choice(result, config.grade_tag)
    return SeverityGrade(chosen) if chosen in frozenset(SeverityGrade) else None


def _choice(result: Sequence[object], tag: str | None) -> str | None:
    """What was chosen under a tag.

    Raises:
        InputError: more than one thing, or nothing that Label Studio writes.
    """
    if tag is None:
        return None
    chosen: list[object] = []
    for entry in result:
        if isinstance(entry, Mapping) and entry.get("type") == "choices" and entry.get("from_name") == tag:
            value = entry.get("value")
            names = value.get("choices") if isinstance(value, Mapping) else None
            if not isinstance(names, list):
                raise InputError("annotation", f'has a choice of {tag!r} without {{"choices": [...]}}')
            chosen += names
    if len(chosen) > 1 or not all(isinstance(name, str) for name in chosen):
        raise InputError("annotation", f"has the choices {chosen!r} of {tag!r}, expected one name")
    return str(chosen[0]) if chosen else None
