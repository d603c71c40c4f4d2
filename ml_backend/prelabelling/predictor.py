"""Predictions computed once: from the catalog where they are known, from the model where they are not."""

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
class Predicted:
    """What a version predicts for one slice or picture.

    Args:
        label_map: (H, W) uint8, values of Label.
        score: mean confidence in [0, 1].
        slice_record: None for a picture that the catalog does not know.
        computed: False where it was known already.
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
        self._in_flight: dict[tuple[str, str], Future[Predicted]] = {}

    def known(self, slices: Sequence[SliceRecord], model_version: str) -> list[Predicted] | None:
        """A version's predictions of slices of one study; None while the catalog lacks one of them.

        A slice without a prediction would look like one without disease.
        """
        records = self._records(slices, model_version)
        if any(slice_record.id not in records for slice_record in slices):
            return None
        read = self._catalog.storage.read_label_map
        return [
            Predicted(read(record.label_map_path), record.score, model_version, slice_record, computed=False)
            for slice_record in slices
            for record in [records[slice_record.id]]
        ]

    def predict(
        self, shown: SliceRecord | npt.NDArray[np.uint8], segmenter: Segmenter, deadline: float
    ) -> Predicted:
        """The prediction of a slice, or of a picture that the catalog does not know and keeps nothing of.

        Args:
            shown: a slice, or the (H, W) uint8 grey levels of a picture.
        Raises:
            OutOfTimeError: the deadline passed before the answer was there.
        """
        version = segmenter.version
        if isinstance(shown, SliceRecord):
            known = self.known([shown], version)
            if known is not None:
                return known[0]

            def compute() -> Predicted:
                # Somebody may have finished between the look above and this turn.
                known = self.known([shown], version)
                return known[0] if known is not None else self._compute(shown, segmenter)

            return self._once((version, str(shown.id)), compute, deadline)

        def compute_picture() -> Predicted:
            prediction = segmenter.segment(shown, Intensity.PICTURE)
            return Predicted(prediction.label_map, prediction.score, version, None, computed=True)

        content = hashlib.sha256(repr(shown.shape).encode() + shown.tobytes()).hexdigest()
        return self._once((version, content), compute_picture, deadline)

    def _records(self, slices: Sequence[SliceRecord], model_version: str) -> dict[int, PredictionRecord]:
        """By slice id."""
        if len(slices) == 1:
            record = self._catalog.predictions.of_slice(slices[0].id, model_version)
            return {} if record is None else {record.slice_id: record}
        records = self._catalog.predictions.of_study(slices[0].study_id, model_version)
        return {record.slice_id: record for record in records}

    def _compute(self, slice_record: SliceRecord, segmenter: Segmenter) -> Predicted:
        pixels = self._catalog.slices.read_pixels(slice_record)
        started_at = time.perf_counter()
        prediction = segmenter.segment(pixels, slice_record.intensity)
        seconds = time.perf_counter() - started_at
        self._catalog.predictions.add(slice_record.id, segmenter.version, prediction, seconds)
        ensure_severity(
            self._catalog, slice_record.study_id, segmenter.version, segmenter.involvement_calibration
        )
        return Predicted(
            prediction.label_map, prediction.score, segmenter.version, slice_record, computed=True
        )

    def _once(self, key: tuple[str, str], compute: Callable[[], Predicted], deadline: float) -> Predicted:
        seconds_left = deadline - self.clock()
        if seconds_left <= 0:
            raise OutOfTimeError("the time limit of this request was reached")
        with self._lock:
            running = self._in_flight.get(key)
            mine: Future[Predicted] = Future()
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
