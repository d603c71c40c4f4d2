"""Predictions as Label Studio's result JSON, and annotations back as label maps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError, LabelConfigError
from chestct.labels import BRUSH_LABEL_NAMES, Label, SeverityGrade
from ml_backend.label_studio import brush_rle
from ml_backend.label_studio.label_config import LabelConfig

Json = dict[str, Any]

# Where regions overlap the denser finding wins: the later of these is painted over the earlier.
_PAINTED_IN_ORDER = (Label.LUNG, Label.GROUND_GLASS, Label.CONSOLIDATION)
_FAILED = " failed"


def prediction_result(
    label_maps: Sequence[npt.NDArray[np.uint8]],
    score: float,
    model_version: str,
    config: LabelConfig,
    grade: SeverityGrade | None = None,
) -> Json:
    """What Label Studio stores and shows as the pre-label of a task.

    Args:
        label_maps: (H, W) uint8, values of Label, of every picture of the task in its order; none for a task
            that shows no pre-label and whose prediction only holds its rank. Label Studio 1.23 names that one
            as the parent of the reader's answer all the same; the sync tells it from a model that found
            nothing by what was drawn for the slice.
        score: in [0, 1]; the lowest is served first under uncertainty sampling.
        config: the project's tag names; what it cannot show is left out.
        grade: preset of the severity choice; None presets nothing.
    Returns:
        `{"result": [...], "score": ..., "model_version": ...}`, one region per class that occurs; those of a
        study task carry the 0-based `item_index` of their slice.
    """
    regions = [
        region | ({"item_index": item} if config.shows_studies else {})
        for item, label_map in enumerate(label_maps)
        for region in brush_regions(label_map, config)
    ]
    if grade is not None and config.grade_tag is not None:
        tags = {"from_name": config.grade_tag, "to_name": config.image_tag}
        regions.append({"type": "choices", **tags, "value": {"choices": [grade.value]}})
    return {"result": regions, "score": float(score), "model_version": model_version}


def brush_regions(label_map: npt.NDArray[np.uint8], config: LabelConfig) -> list[Json]:
    """One brush region per class that occurs and that the reader can paint.

    Args:
        label_map: (H, W) uint8, values of Label.
    """
    height, width = label_map.shape
    return [
        {
            "type": "brushlabels",
            "from_name": config.brush_tag,
            "to_name": config.image_tag,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": brush_rle.encode(label_map == label),
                "brushlabels": [BRUSH_LABEL_NAMES[label]],
            },
        }
        for label in config.labels
        if (label_map == label).any()
    ]


def failed_result(model_version: str) -> Json:
    """The answer for a task that could not be predicted.

    It names no version that exists, so Label Studio asks again next time, and an empty picture
    never passes as the model's "no disease".
    """
    return {"result": [], "score": 0.0, "model_version": model_version + _FAILED}


def is_failed(model_version: str) -> bool:
    """Whether a stored prediction is one of `failed_result`."""
    return model_version.endswith(_FAILED)


def read_label_map(
    result: Sequence[object], config: LabelConfig, height: int, width: int
) -> npt.NDArray[np.uint8]:
    """Exactly what a reader painted.

    Args:
        result: `result` of an annotation; entries that are no brush are not ours and are passed over.
        height, width: size of the slice.
    Returns:
        (H, W) uint8, values of Label; consolidation wins over ground-glass, both win over lung.
    Raises:
        InputError: an entry is not shaped as Label Studio's, or belongs to a picture of another size.
        LabelConfigError: a brush names a tag or a label that the configuration lacks.
    """
    painted: dict[Label, npt.NDArray[np.bool_]] = {}
    for entry in result:
        if not isinstance(entry, Mapping):
            raise InputError("annotation", f"holds {type(entry).__name__} as a region, expected an object")
        if entry.get("type") != "brushlabels":
            continue
        _require_fit(entry, config, height, width)
        names, rle = _brush_value(entry)
        labels = [label for label in map(config.label_of, names) if label is not None]
        if labels:
            mask = brush_rle.decode_mask(rle, height, width)
            painted |= {label: mask | painted.get(label, False) for label in labels}
    label_map = np.zeros((height, width), dtype=np.uint8)
    for label in _PAINTED_IN_ORDER:
        if label in painted:
            label_map[painted[label]] = label
    return label_map


def _require_fit(entry: Mapping[str, Any], config: LabelConfig, height: int, width: int) -> None:
    tags = (entry.get("from_name"), entry.get("to_name"))
    if tags != (config.brush_tag, config.image_tag):
        raise LabelConfigError(
            f"a brush of the tags {tags} came, expected {(config.brush_tag, config.image_tag)}; "
            "was the configuration changed after this was drawn?"
        )
    size = (entry.get("original_width"), entry.get("original_height"))
    if size != (width, height):
        raise InputError(
            "annotation", f"was drawn on a picture of {size[0]} x {size[1]}, the slice is {width} x {height}"
        )
    if entry.get("image_rotation"):
        raise InputError(
            "annotation",
            f"was drawn on a picture turned by {entry['image_rotation']} degrees; "
            "turn it back and submit again",
        )


def _brush_value(entry: Mapping[str, Any]) -> tuple[list[str], Sequence[int]]:
    value = entry.get("value")
    value = value if isinstance(value, Mapping) else {}
    if value.get("format") != "rle" or not isinstance(value.get("rle"), list):
        raise InputError("annotation", 'has a brush without {"format": "rle", "rle": [...]}')
    names = value.get("brushlabels")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError("annotation", f"has a brush with the labels {names!r}, expected a list of names")
    return names, value["rle"]
