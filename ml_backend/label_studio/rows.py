"""Projects and annotations as the client hands them out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chestct.errors import InputError

Json = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """A project as far as the loop cares.

    Args:
        label_config: the XML.
        model_version: whose predictions pre-label and order the tasks.
    """

    id: int
    title: str
    created_at: str
    label_config: str
    model_version: str

    @property
    def uid(self) -> str:
        """Id and time of creation: Label Studio on SQLite gives an id again after a deletion."""
        return f"{self.id}:{self.created_at}"


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction as Label Studio holds it, which is what it showed the reader.

    Args:
        result: its regions and choices; None where Label Studio keeps none.
    """

    model_version: str | None
    result: tuple[object, ...] | None


@dataclass(frozen=True)
class TaskState:
    """A task as far as its rank in the worklist goes.

    Args:
        is_labeled: nobody is served it any more.
        overlap: how many readers are to answer it.
        scores: model version -> prediction id -> its score; a version may be stored twice, because Label
            Studio 1.23 sometimes asks for the same prediction twice at once.
    """

    id: int
    is_labeled: bool
    overlap: int
    scores: Mapping[str, Mapping[int, float | None]]
    data: Json

    def score(self, model_version: str) -> float | None:
        """What serves the task under a version: the lowest of its scores; None without any."""
        scores = self.scores.get(model_version, {}).values()
        return min((score for score in scores if score is not None), default=None)


@dataclass(frozen=True)
class AnnotationState:
    """That an annotation exists, and its latest change; without its masks."""

    id: int
    task_id: int
    updated_at: str
    was_cancelled: bool


@dataclass(frozen=True)
class Annotation:
    """One reader's answer to one task.

    Args:
        annotator: the reader's e-mail, or the id where Label Studio does not say.
        was_cancelled: the reader skipped the task.
        parent_prediction: id of the prediction that it started from.
    """

    id: int
    task_id: int
    updated_at: str
    was_cancelled: bool
    ground_truth: bool
    annotator: str
    lead_time_seconds: float | None
    parent_prediction: int | None
    result: tuple[object, ...]


def read_project(row: Json) -> Project:
    """A project as the API writes it."""
    return Project(
        int(row["id"]),
        str(row["title"]),
        str(row["created_at"]),
        str(row.get("label_config") or ""),
        str(row.get("model_version") or ""),
    )


def read_prediction(row: Json) -> StoredPrediction:
    """A prediction as the API writes it."""
    result, version = row.get("result"), row.get("model_version")
    return StoredPrediction(
        None if version is None else str(version), tuple(result) if isinstance(result, list) else None
    )


def read_task(row: Json) -> TaskState:
    """A task as the list of tasks writes it."""
    scores: dict[str, dict[int, float | None]] = {}
    for prediction in row.get("predictions") or []:
        score = prediction.get("score")
        of_version = scores.setdefault(str(prediction.get("model_version")), {})
        of_version[int(prediction["id"])] = None if score is None else float(score)
    is_labeled, overlap = bool(row.get("is_labeled")), int(row.get("overlap") or 1)
    return TaskState(int(row["id"]), is_labeled, overlap, scores, row.get("data") or {})


def read_annotation(row: Json) -> Annotation:
    """An annotation as the API writes it.

    Raises:
        InputError: something in it is not what Label Studio 1.23 writes.
    """
    try:
        lead_time, parent = row.get("lead_time"), row.get("parent_prediction")
        # "<first> <last> <e-mail>, <id>": the only place where a single annotation names its reader.
        words = str(row.get("created_username") or "").rsplit(",", 1)[0].split()
        result = row["result"]
        if not isinstance(result, list):
            raise TypeError("its result is no list of regions")
        return Annotation(
            id=int(row["id"]),
            task_id=int(row["task"]),
            updated_at=str(row["updated_at"]),
            was_cancelled=bool(row.get("was_cancelled")),
            ground_truth=bool(row.get("ground_truth")),
            annotator=words[-1] if words else str(row.get("completed_by") or "unknown"),
            lead_time_seconds=None if lead_time is None else float(lead_time),
            parent_prediction=None if parent is None else int(parent),
            result=tuple(result),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("annotation", f"is not as Label Studio 1.23 writes it: {error}") from error
