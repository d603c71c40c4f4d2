"""What the catalog hands out: frozen rows, free of SQL, that travel between parts of the loop.

All times are ISO 8601 text in UTC of one fixed width ("2026-03-01T09:30:00.000000Z"), so that the order
of the text is the order of time in every database.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade, Split


class CorrectionState(StrEnum):
    """What a reader did with an annotation.

    ACCEPTED is of study tasks only: the study was submitted, but nothing says that the reader looked at
    this slice (docs/adr/0016). It closes the slice; it is no label.
    """

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    SKIPPED = "skipped"
    DELETED = "deleted"


class VersionState(StrEnum):
    """Where a model version stands; at most one is the champion, one more serves open studies beside it."""

    CHAMPION = "champion"
    OPEN_STUDIES = "open studies"
    CHALLENGER = "challenger"
    REFUSED = "refused"
    RETIRED = "retired"


class RequestState(StrEnum):
    """How far a request for a retrain has come."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class StudyRecord:
    """One CT study.

    Args:
        key: sha256 of its pixels, intensity and geometry: what makes it the same study.
        name: unique in the catalog; the source's name, with part of the key added where that was taken.
        source: the path it was first imported from, for people only.
        split: its patient's side of the frozen line.
        dicom_source_path: storage key of the headers of its DICOM instances, None where it came from
            something else.
    """

    id: int
    key: str
    name: str
    patient: str
    layout: str
    source: str
    intensity: Intensity
    geometry: Geometry | None
    grade: SeverityGrade | None
    split: Split
    slice_count: int
    dicom_source_path: str | None = None


@dataclass(frozen=True)
class SliceRecord:
    """One slice, the unit of annotation.

    Args:
        index: position along the study's slice axis as stored in its file, from 0.
        key: sha256 of its pixels.
        pixels_path: storage key of the pixels (int16 HU as npz, or the 8-bit PNG itself).
        picture_path: storage key of the 8-bit PNG that Label Studio shows.
        name: file name of a loose picture, None for a volume's slice.
        has_reference_labels: whether the source gave reference labels for it.
    """

    id: int
    study_id: int
    study_name: str
    patient: str
    split: Split
    index: int
    key: str
    width: int
    height: int
    intensity: Intensity
    pixels_path: str
    picture_path: str
    name: str | None
    has_reference_labels: bool


@dataclass(frozen=True)
class PredictionRecord:
    """What one model version found in one slice; computed once.

    Args:
        score: mean confidence in [0, 1]; the lowest is the first to be labelled.
        ground_glass_fraction, consolidation_fraction: of the slice's lung, in [0, 1]; 0 where there is
            no lung.
        entropy_mean: mean entropy over the slice.
        seconds: how long the computation took.
        lesion_expected, lesion_deviation: pixels, of `chestct.severity.uncertainty.lesion_sums`; None for
            predictions of versions before it.
        zone_entropy, ground_glass_entropy, consolidation_entropy, disagreement, lesion_zone: as of
            `chestct.prediction.SlicePrediction`; None where they were not worked out.
        doubt_path: storage key of the picture of its uncertainty, an 8-bit PNG; None without one.
    """

    id: int
    slice_id: int
    model_version: str
    label_map_path: str
    score: float
    ground_glass_fraction: float
    consolidation_fraction: float
    entropy_mean: float
    seconds: float
    created_at: str
    lesion_expected: float | None = None
    lesion_deviation: float | None = None
    zone_entropy: float | None = None
    ground_glass_entropy: float | None = None
    consolidation_entropy: float | None = None
    disagreement: float | None = None
    lesion_zone: float | None = None
    doubt_path: str | None = None


@dataclass(frozen=True)
class OrderedSlice:
    """One open slice of the kept order.

    Args:
        place: in the order as it was kept, from 0; slices that were read since leave gaps.
        score: what serves it there in Label Studio, in (0, 1); the lowest is served first.
        model_version: the release from whose predictions the order was made, by its name.
        reason: one sentence for people.
    """

    slice: SliceRecord
    place: int
    score: float
    model_version: str
    reason: str


@dataclass(frozen=True)
class SeverityRecord:
    """What one model version makes of one study; worked out once.

    Args:
        percent: the one that decides, in [0, 100]; None without lung.
        interval_low, interval_high: around it, in [0, 100]; None where the version is not calibrated.
        severity: `chestct.severity.grading.Severity.as_dict` as it was worked out.
    """

    id: int
    study_id: int
    model_version: str
    grade: SeverityGrade | None
    percent: float | None
    interval_low: float | None
    interval_high: float | None
    severity: dict[str, Any]
    created_at: str


@dataclass(frozen=True, kw_only=True)
class AnnotationRecord:
    """One state of one annotation of one reader. Rows are only ever added.

    Args:
        project_uid: "<project id>:<its creation time>": Label Studio reuses bare ids.
        annotation_updated_at: Label Studio's own time of this state.
        lead_time_seconds: what the reader spent on the task.
        model_version: the prediction that it started from; None when begun from nothing.
        via: how it reached us ("webhook", "sync", ...).
    """

    id: int
    project_uid: str
    task_id: int
    annotation_id: int
    annotation_updated_at: str
    state: CorrectionState
    annotator: str
    lead_time_seconds: float | None
    ground_truth: bool
    model_version: str | None
    received_at: str
    via: str


@dataclass(frozen=True, kw_only=True)
class CorrectionRecord(AnnotationRecord):
    """What it says of one slice; of a study task no `lead_time_seconds`, which is kept with the grade.

    Args:
        label_map_path: storage key of exactly what was submitted; None for every other state.
        changed_fraction: pixels whose lesion class differs from that prediction / all pixels.
    """

    slice_id: int
    label_map_path: str | None
    prediction_id: int | None
    changed_fraction: float | None


@dataclass(frozen=True, kw_only=True)
class StudyGradeRecord(AnnotationRecord):
    """What it says of a whole study; SUBMITTED, SKIPPED or DELETED.

    Args:
        grade: the reader's; None where none was chosen (of a current one there is always one).
        model_grade: the grade that the prediction showed the reader.
    """

    study_id: int
    grade: SeverityGrade | None
    model_grade: SeverityGrade | None


@dataclass(frozen=True)
class VersionRecord:
    """One model version and the last decision about it.

    Args:
        parent: the version its training started from.
        snapshot: id of the data that trained it.
        decision: what the gate (or a person) decided, with its figures; None before a decision.
    """

    version: str
    state: VersionState
    parent: str | None
    snapshot: str | None
    created_at: str
    decision: dict[str, Any] | None


@dataclass(frozen=True)
class Release:
    """Which version serves what (docs/adr/0023).

    Args:
        default: the champion: it serves patients never seen, and every study that is not named here.
        open_version: pre-labels the studies that it learned from; None where the champion serves all.
        study_ids: those studies.
    """

    default: str
    open_version: str | None = None
    study_ids: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """What Label Studio knows it by: the champion's name, or "champion+other" where two serve."""
        return "+".join(self.versions)

    @property
    def versions(self) -> tuple[str, ...]:
        """The champion, and the other where there is one."""
        return (self.default,) if self.open_version is None else (self.default, self.open_version)

    def version_of(self, study_id: int | None) -> str:
        """The version that serves a study; None stands for what the catalog does not know."""
        return self.open_version if self.open_version and study_id in self.study_ids else self.default


def versions_in(release_name: str) -> tuple[str, ...]:
    """The versions of a release by its name, which may be that of a single version; the champion first."""
    return tuple(release_name.split("+"))


@dataclass(frozen=True)
class RetrainRequest:
    """Somebody's wish for a retrain; several wait for one job.

    Args:
        job_id: the job that took it; None while pending.
        outcome: one sentence for people once it is done or failed.
    """

    id: int
    requested_by: str
    requested_at: str
    state: RequestState
    job_id: str | None
    outcome: str | None
    finished_at: str | None
