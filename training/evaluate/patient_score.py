"""How well a model does on one patient: what the gate compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.evaluate.reliability import Reliability


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
        healthy_lung_dice: lung without lesions; None where lungs are not labelled.
        iou: group of `training.evaluate.metrics.GROUPS` -> IoU; groups without a score are absent.
        mean_iou: see `training.evaluate.metrics.mean_iou`.
        surface_dice: group -> normalised surface distance, outlines pooled over the slices.
        slice_dice: group -> mean Dice over the slices where either side shows it.
        reliability: of the probabilities as served; `reliability_untempered` without a temperature.
        true_lesion_pixels, predicted_lesion_pixels, common_lesion_pixels: of the labels, of the model,
            and of both, over the pixels that somebody looked at; 0 where lesions are not labelled.
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
    healthy_lung_dice: float | None = None
    iou: Mapping[str, float] = field(default_factory=dict)
    mean_iou: float | None = None
    surface_dice: Mapping[str, float] = field(default_factory=dict)
    slice_dice: Mapping[str, float] = field(default_factory=dict)
    reliability: Reliability | None = field(default=None, repr=False, compare=False)
    reliability_untempered: Reliability | None = field(default=None, repr=False, compare=False)
    true_lesion_pixels: int = 0
    predicted_lesion_pixels: int = 0
    common_lesion_pixels: int = 0

    @property
    def has_lesion(self) -> bool:
        """Whether the labels show a lesion: without one, Dice says nothing of how well it is found."""
        return self.true_lesion_pixels > 0

    @property
    def involvement_error_points(self) -> float | None:
        """|model - labels| in points of the lung's percentage; None where either has no lung."""
        if self.involvement_predicted is None or self.involvement_true is None:
            return None
        return 100.0 * abs(self.involvement_predicted - self.involvement_true)

    def figures(self) -> dict[str, float | None]:
        """Every score of the patient under the name that reports give it, None where there is none."""
        return {
            "lesion_dice": self.lesion_dice,
            "ground_glass_dice": self.ground_glass_dice,
            "consolidation_dice": self.consolidation_dice,
            "lung_dice": self.lung_dice,
            "healthy_lung_dice": self.healthy_lung_dice,
            "nll": self.nll,
            "mean_iou": self.mean_iou,
            **{f"{name}_iou": value for name, value in self.iou.items()},
            **{f"{name}_surface_dice": value for name, value in self.surface_dice.items()},
            **{f"{name}_dice_by_slice": value for name, value in self.slice_dice.items()},
            "involvement_error_points": self.involvement_error_points,
            "ece": None if self.reliability is None else self.reliability.error(),
            "ece_without_temperature": (
                None if self.reliability_untempered is None else self.reliability_untempered.error()
            ),
        }

    def as_row(self) -> dict[str, float | int | str | None]:
        """JSON-ready: who, how many slices, involvement on both sides, and the figures."""
        return {
            "patient": self.patient,
            "slices": self.slices,
            "involvement_predicted": self.involvement_predicted,
            "involvement_true": self.involvement_true,
            **self.figures(),
        }
