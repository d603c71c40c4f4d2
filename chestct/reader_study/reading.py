"""One annotation of one slice, as far as readers' figures need it."""

from dataclasses import dataclass

from chestct.acquisition.allocation import Arm
from chestct.labels import Label
from chestct.reader_study.changes import Changes


@dataclass(frozen=True)
class Reading:
    """What a reader holds true of a slice now, and what it took.

    Args:
        patient: who the slice is of; readings of one patient resemble each other.
        arm: as it was drawn for the slice; None where nothing was drawn.
        prelabelled: whether the slice was drawn to be shown with a pre-label; None where nothing was.
        read_twice: whether the slice was drawn to be read by two readers.
        shown_version: the model version that the annotation started from; None when begun from nothing.
        lead_time_seconds: Label Studio's own; None where it says nothing.
        updated_at: Label Studio's time of this state.
        of_study_task: the reader had the whole study in one task: no time of its own, no arm.
        has_own_mask: the slice has a mask that people brought, so what was shown is not a model's.
        changes: against what a model found, None where it was not worked out.
        champion_changes: the same against the present champion, where that has looked at the slice.
    """

    correction_id: int
    slice_id: int
    study_id: int
    study_name: str
    slice_index: int
    patient: str
    annotator: str
    project_uid: str
    task_id: int
    updated_at: str
    received_at: str
    arm: Arm | None = None
    prelabelled: bool | None = None
    read_twice: bool = False
    shown_version: str | None = None
    lead_time_seconds: float | None = None
    of_study_task: bool = False
    has_own_mask: bool = False
    changes: Changes | None = None
    champion_changes: Changes | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether chance decided how this slice was served, so that it can be compared.

        Test slices are of other patients, evenly spread over them: no lot drew them among the others.
        """
        drawn = self.prelabelled is not None and self.arm is not Arm.TEST
        return drawn and not self.of_study_task and not self.has_own_mask

    @property
    def seconds(self) -> float | None:
        """What the reader spent, None where that is unknown: nobody reads a slice in no time."""
        seconds = self.lead_time_seconds
        return seconds if seconds is not None and seconds > 0 and not self.of_study_task else None

    @property
    def corrected_pixels(self) -> int | None:
        """Pixels of the pre-label that the reader changed; None where no model's pre-label was shown."""
        if self.changes is None or self.has_own_mask or self.changes.model_version != self.shown_version:
            return None
        return self.changes.changed

    def changed_pixels(self, label: Label) -> int | None:
        """The same of one lesion class: pixels that it gained and that it lost."""
        if self.corrected_pixels is None or self.changes is None:
            return None
        return self.changes.changed_of(label)
