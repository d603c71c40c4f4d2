"""How well a model does on one patient: what the gate compares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PatientScore:
    """Scores of one patient, pixels pooled over the patient's slices.

    Args:
        patient: whose.
        lesion_dice: ground-glass and consolidation as one class; 1 where neither the reader nor
            the model sees a lesion (a healthy patient called healthy).
        ground_glass_dice, consolidation_dice: None where the kinds are not labelled, or where
            neither side shows the kind.
        lung_dice: whole lung, lesions included; None where lungs are not labelled.
        involvement_predicted: lesion / lung in [0, 1] as the model sees it; None without lung.
        involvement_true: the same of the labels; None where lungs are not labelled.
        nll: mean negative log-likelihood over labelled pixels that may be lung; None without one.
        slices: how many of the patient's slices were scored.
    """

    patient: str
    lesion_dice: float
    ground_glass_dice: float | None = None
    consolidation_dice: float | None = None
    lung_dice: float | None = None
    involvement_predicted: float | None = None
    involvement_true: float | None = None
    nll: float | None = None
    slices: int = 1
