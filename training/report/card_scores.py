"""The metrics of a card as tables and sentences."""

from collections.abc import Mapping
from typing import Any

Sets = Mapping[str, Mapping[str, Any]]

_NAMES = {
    "covid-ct-seg": "COVID-19-CT-Seg",
    "medseg": "MedSeg",
    "phantom": "phantoms",
    "correction": "readers' corrections",
    "record": "reference labels",
    "distilled": "predictions of the version before",
    "test": "frozen test patients",
    "test reading": "unassisted readings of own test patients",
    "crossed_patients": "corrected patients, each by a fit kept from them (anchored to pre-labels)",
    "corrected_cases": "corrected cases, which it learned from",
}
_OVERLAP = {
    "lesion_dice": "Lesion Dice",
    "ground_glass_dice": "Ground-glass Dice",
    "consolidation_dice": "Consolidation Dice",
    "lung_dice": "Lung Dice",
}
_FURTHER = {
    "mean_iou": "Mean IoU",
    "lesion_iou": "Lesion IoU",
    "ground_glass_iou": "Ground-glass IoU",
    "consolidation_iou": "Consolidation IoU",
    "lung_iou": "Lung IoU",
    "healthy_lung_dice": "Healthy lung Dice",
    "lesion_dice_by_slice": "Lesion Dice by slice",
    "lesion_surface_dice": "Lesion surface",
    "ground_glass_surface_dice": "Ground-glass surface",
    "consolidation_surface_dice": "Consolidation surface",
    "lung_surface_dice": "Lung surface",
    "involvement_error_points": "Involvement error, points",
    "ece": "Calibration error",
    "ece_without_temperature": "Calibration error without temperature",
    "nll": "Negative log-likelihood",
}
_DEFINITIONS = {
    "mean_iou": "Mean IoU is over the finest classes that the labels tell apart, background included: "
    "compare it only between data with the same labels.",
    "dice_by_slice": "Dice by slice is the mean over the slices where either side shows the finding, "
    "then over patients.",
    "surface_dice": "Surface is the share of both outlines, in the slice's plane, within 2 mm of each "
    "other (2 pixels where the size of a pixel is not known).",
    "involvement_error_percent": "Involvement is lesion / lung in the labelled slices; its error is in "
    "percentage points.",
    "ece": "Calibration error (ECE, 15 bins) is the gap between how sure the model is and how often it "
    "is right.",
    "nll": "Calibration and likelihood are over labelled pixels that may be lung.",
}
# Below that an interval by patient is itself a guess (our choice).
_FEW_PATIENTS = 10


def name_of(source: str) -> str:
    """A body of data as people call it."""
    return _NAMES.get(source, source.replace("_", " "))


def sets_of(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Body of data -> its figures; a card of one unnamed body gives it an empty name."""
    named = {
        name: figures
        for name, figures in metrics.items()
        if isinstance(figures, Mapping) and "lesion_dice" in figures
    }
    return named or ({"": metrics} if "lesion_dice" in metrics else {})


def written(figure: Any, digits: int = 3) -> str:
    """ "0.740 [0.623, 0.810]"; empty where there is no figure."""
    if isinstance(figure, int | float):
        return f"{figure:.{digits}f}"
    if not isinstance(figure, Mapping) or figure.get("mean") is None:
        return ""
    ends = figure.get("interval")
    interval = f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if ends else ""
    return f"{figure['mean']:.{digits}f}{interval}"


def overlap_table(sets: Sets) -> list[tuple[str, ...]]:
    """One row a body of data: patients, slices and the Dice of each finding."""
    rows = [("Data", "Patients", "Slices", *_OVERLAP.values())]
    for source, figures in sets.items():
        evidence = figures.get("evidence")
        name = name_of(source) or "all"
        rows.append(
            (
                f"{name} ({evidence})" if evidence and evidence != "frozen patients" else name,
                str(figures.get("patients", "")),
                str(figures.get("slices", "")),
                *(written(figures.get(key)) or "no score" for key in _OVERLAP),
            )
        )
    return rows


def further_table(sets: Sets) -> list[tuple[str, ...]]:
    """One row a figure, one column a body of data; empty where no card holds any."""
    rows = [
        (name, *cells)
        for key, name in _FURTHER.items()
        if any(cells := [_further(figures, key) for figures in sets.values()])
    ]
    return [("Figure", *(name_of(source) or "all" for source in sets)), *rows] if rows else []


def definitions(sets: Sets) -> str:
    """What those of the further figures mean that some body of data has."""
    held = {key for figures in sets.values() for key in figures}
    return " ".join(
        sentence for part, sentence in _DEFINITIONS.items() if any(key.endswith(part) for key in held)
    )


def _further(figures: Mapping[str, Any], key: str) -> str:
    if key == "involvement_error_points":
        # Cards from before intervals hold the mean alone.
        return written(figures.get(key, figures.get("involvement_error_percent")), digits=2)
    return written(figures.get(key))


def weaknesses(sets: Sets) -> list[str]:
    """What the figures themselves say against the model, a sentence each."""
    sentences = []
    overlaps = [
        (name, source, figures[key])
        for source, figures in sets.items()
        for key, name in _OVERLAP.items()
        if isinstance(figures.get(key), Mapping)
    ]
    if overlaps:
        name, source, figure = min(overlaps, key=lambda overlap: overlap[2]["mean"])
        sentences.append(
            f"Its lowest score is the {name[0].lower()}{name[1:]} on {name_of(source)}: {written(figure)}."
        )
    for source, figures in sets.items():
        patients = int(figures.get("patients", 0))
        if 0 < patients < _FEW_PATIENTS:
            who = "1 patient is" if patients == 1 else f"{patients} patients are"
            sentences.append(f"{who} few ({name_of(source)}): another few may score quite differently.")
        absent = [name.removesuffix(" Dice").lower() for key, name in _OVERLAP.items() if key not in figures]
        if absent:
            sentences.append(f"{name_of(source)} says nothing of: {', '.join(absent)}.")
        if figures.get("evidence") == "phantoms":
            sentences.append("It was compared on phantoms: weak evidence.")
        elif source == "phantoms":
            sentences.append(
                "Its scores on phantoms are an alarm against damage and say nothing of patients."
            )
    return sentences
