"""Predictions computed once: by the model, unless the catalog holds them."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import PredictionRecord, SliceRecord
from chestct.derived.severity import ensure_severity
from chestct.errors import LungLoopError
from chestct.inference.segmenter import Segmenter
from chestct.intensity import Intensity


class OutOfTimeError(LungLoopError, TimeoutError):
    """The caller waits no longer, so the rest is left to a job."""


@dataclass(frozen=True, eq=False)
class PicturePrediction:
    """What a version predicts for one slice or picture.

    Args:
        label_map: (H, W) uint8, values of Label.
        score: mean confidence in [0, 1].
        slice_record: None for a picture that the catalog does not know.
        computed: False where the catalog held it already.
    """

    label_map: npt.NDArray[np.uint8]
    score: float
    model_version: str
    slice_record: SliceRecord | None
    computed: bool


class Predictor:
    """Answers for slices, computing each at most once however many ask at the same time.

    Args:
        catalog: where predictions are kept.
        clock: seconds that only grow; deadlines are times of this clock.
    """

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self.clock = clock
        self._lock = threading.Lock()
        self._in_flight: dict[tuple[str, str], Future[PicturePrediction]] = {}

    def stored(self, slices: Sequence[SliceRecord], model_version: str) -> list[PicturePrediction] | None:
        """A version's predictions of slices of one study; None while the catalog lacks one of them.

        A slice without a prediction would look like one without disease.
        """
        records = self._records(slices, model_version)
        if any(slice_record.id not in records for slice_record in slices):
            return None
        read = self._catalog.storage.read_label_map
        return [
            PicturePrediction(
                read(record.label_map_path), record.score, model_version, slice_record, computed=False
            )
            for slice_record in slices
            for record in [records[slice_record.id]]
        ]

    def predict(
        self, picture: SliceRecord | npt.NDArray[np.uint8], segmenter: Segmenter, deadline: float
    ) -> PicturePrediction:
        """The prediction of a slice, or of a picture that the catalog does not know and keeps nothing of.

        Args:
            picture: a slice, or the (H, W) uint8 grey levels of a picture.
        Raises:
            OutOfTimeError: the deadline passed before the answer was there.
        """
        version = segmenter.version
        if isinstance(picture, SliceRecord):
            stored = self.stored([picture], version)
            if stored is not None:
                return stored[0]

            def compute() -> PicturePrediction:
                # Somebody may have finished between the look above and this turn.
                stored = self.stored([picture], version)
                return stored[0] if stored is not None else self._compute(picture, segmenter)

            return self._once((version, str(picture.id)), compute, deadline)

        def compute_picture() -> PicturePrediction:
            prediction = segmenter.segment(picture, Intensity.PICTURE)
            return PicturePrediction(prediction.label_map, prediction.score, version, None, computed=True)

        content = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()
        return self._once((version, content), compute_picture, deadline)

    def _records(self, slices: Sequence[SliceRecord], model_version: str) -> dict[int, PredictionRecord]:
        """By slice id."""
        if len(slices) == 1:
            record = self._catalog.predictions.of_slice(slices[0].id, model_version)
            return {} if record is None else {record.slice_id: record}
        records = self._catalog.predictions.of_study(slices[0].study_id, model_version)
        return {record.slice_id: record for record in records}

    def _compute(self, slice_record: SliceRecord, segmenter: Segmenter) -> PicturePrediction:
        pixels = self._catalog.slices.read_pixels(slice_record)
        started_at = time.perf_counter()
        prediction = segmenter.segment(pixels, slice_record.intensity)
        seconds = time.perf_counter() - started_at
        self._catalog.predictions.add(slice_record.id, segmenter.version, prediction, seconds)
        ensure_severity(
            self._catalog, slice_record.study_id, segmenter.version, segmenter.involvement_calibration
        )
        return PicturePrediction(
            prediction.label_map, prediction.score, segmenter.version, slice_record, computed=True
        )

    def _once(
        self, key: tuple[str, str], compute: Callable[[], PicturePrediction], deadline: float
    ) -> PicturePrediction:
        seconds_left = deadline - self.clock()
        if seconds_left <= 0:
            raise OutOfTimeError("the time limit of this request was reached")
        with self._lock:
            running = self._in_flight.get(key)
            mine: Future[PicturePrediction] = Future()
            if running is None:
                self._in_flight[key] = mine
        if running is not None:
            try:
                return running.result(timeout=seconds_left)
            except FutureTimeoutError as error:
                raise OutOfTimeError("the same slice is being computed for another request") from error
        try:
            mine.set_result(compute())
        # Those who wait must hear of every end, or they would wait until their time is up.
        except BaseException as error:  # noqa: BLE001 - handed on below, nothing is swallowed
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._in_flight[key]
        return mine.result()
