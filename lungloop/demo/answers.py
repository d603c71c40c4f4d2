"""What a reader's editor submits for a slice whose truth is known; pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chestct.labels import BRUSH_LABEL_NAMES, LESIONS, SeverityGrade
from lungloop.demo.truth import LabelMap
from ml_backend.label_studio.label_config import ALL_SLICES_VIEWED, LabelConfig
from ml_backend.label_studio.results import brush_regions

Json = dict[str, Any]

# A look at a slice, and painting: of the order of what readers of such slices take (a few per cent of the
# pixels change in a minute or two). Figures of a demo, never of a person.
_LOOKING_SECONDS, _SECONDS_A_CHANGED_SHARE, _MOST_SECONDS = 12.0, 1500.0, 240.0
_LESION_NAMES = frozenset(BRUSH_LABEL_NAMES[label] for label in LESIONS)


def regions_of_slice(
    shown: Sequence[Json], shown_map: LabelMap, truth: LabelMap, config: LabelConfig, item: int = 0
) -> list[Json]:
    """The regions of one slice after a reader has made its lesions those of the truth.

    Args:
        shown: the regions of the pre-label on this slice, as Label Studio stores them.
        shown_map: (H, W) uint8, what they show.
        truth: (H, W) uint8, values of Label.
        item: 0-based place of the slice in a study task.
    Returns:
        Regions with the `origin` that Label Studio 1.23's editor gives them: "prediction" where left
        alone (all that is no lesion, such as lung), "prediction-changed" where corrected, "manual" where new.
    """
    shown_of = {_name_of(region): region for region in shown}
    result = [{**region, "origin": "prediction"} for region in shown if _name_of(region) not in _LESION_NAMES]
    drawn = brush_regions(np.where(np.isin(truth, LESIONS), truth, np.uint8(0)), config)
    for region in drawn:
        name = _name_of(region)
        label = next(label for label in LESIONS if BRUSH_LABEL_NAMES[label] == name)
        before = shown_of.get(name)
        if before is None:
            of_study = {"item_index": item} if config.shows_studies else {}
            result.append({**region, **of_study, "origin": "manual"})
        elif np.array_equal(shown_map == label, truth == label):
            result.append({**before, "origin": "prediction"})
        else:
            result.append({**before, "value": region["value"], "origin": "prediction-changed"})
    return result


def choices_of_study(shown: Sequence[Json], grade: SeverityGrade | None, config: LabelConfig) -> list[Json]:
    """The choices of a study task: its grade (as shown where none is known), and all slices viewed."""
    kept = [
        region
        for region in shown
        if region.get("type") == "choices" and (grade is None or region.get("from_name") != config.grade_tag)
    ]
    chosen = [
        (config.grade_tag, None if grade is None else grade.value),
        (config.viewed_tag, ALL_SLICES_VIEWED),
    ]
    return kept + [
        {
            "type": "choices",
            "from_name": tag,
            "to_name": config.image_tag,
            "origin": "manual",
            "value": {"choices": [choice]},
        }
        for tag, choice in chosen
        if tag is not None and choice is not None
    ]


def changed_fraction(shown_map: LabelMap, truth: LabelMap) -> float:
    """Share of the slice's pixels, in [0, 1], whose lesion class the reader changes."""
    before, after = (np.where(np.isin(label_map, LESIONS), label_map, 0) for label_map in (shown_map, truth))
    return float((before != after).mean())


def seconds_for(changed: float) -> float:
    """A plausible time for reading a slice, in seconds.

    Args:
        changed: see `changed_fraction`.
    """
    return min(_LOOKING_SECONDS + _SECONDS_A_CHANGED_SHARE * changed, _MOST_SECONDS)


def _name_of(region: Json) -> str:
    names = region.get("value", {}).get("brushlabels") or [""]
    return str(names[0])
