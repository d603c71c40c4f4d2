"""Predictions computed once: from the catalog where they are known, from the model where they are not."""

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.derived.severity import ensure_severity
from chestct.errors import LungLoopError
from chestct.inference.segmenter import Segmenter
from chestct.intensity import Intensity


class OutOfTimeError(LungLoopError, TimeoutError):
    """The caller waits no longer, so the rest is left to a job."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """One slice's pre-label.

    Args:
        label_map: (H, W) uint8, values of Label.
        score: mean confidence in [0, 1].
        model_version: whose it is.
        computed: False where it was known already.
    """

    label_map: npt.NDArray[np.uint8]
    score: float
    model_version: str
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

    def known(self, slice_record: SliceRecord, model_version: str) -> Predicted | None:
        """What the catalog holds of a slice by a version."""
        stored = self._catalog.predictions.of_slice(slice_record.id, model_version)
        if stored is None:
            return None
        label_map = self._catalog.storage.read_label_map(stored.label_map_path)
        return Predicted(label_map, stored.score, model_version, computed=False)

    def shown(self, slice_record: SliceRecord, found: Predicted) -> Predicted:
        """What a reader is shown: the mask that somebody brought for the slice, else what was found.

        The version and its score stay, so that Label Studio shows it in its place and order.
        """
        own = self._catalog.predictions.prelabel(slice_record.id, found.model_version)
        if own is None:
            return found
        return replace(found, label_map=self._catalog.storage.read_label_map(own.label_map_path))

    def of_slice(self, slice_record: SliceRecord, segmenter: Segmenter, deadline: float) -> Predicted:
        """A slice of the catalog.

        Raises:
            OutOfTimeError: the deadline passed before the answer was there.
        """
        known = self.known(slice_record, segmenter.version)
        if known is not None:
            return known

        def compute() -> Predicted:
            # Somebody may have finished between the look above and this turn.
            return self.known(slice_record, segmenter.version) or self._compute(slice_record, segmenter)

        return self._once((segmenter.version, str(slice_record.id)), compute, deadline)

    def of_picture(self, pixels: npt.NDArray[np.uint8], segmenter: Segmenter, deadline: float) -> Predicted:
        """A picture that the catalog does not know: nothing of it is kept.

        Args:
            pixels: (H, W) uint8 grey levels.
        """

        def compute() -> Predicted:
            found = segmenter.segment(pixels, Intensity.PICTURE)
            return Predicted(found.label_map, found.score, segmenter.version, computed=True)

        content = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        return self._once((segmenter.version, content), compute, deadline)

    def _compute(self, slice_record: SliceRecord, segmenter: Segmenter) -> Predicted:
        pixels = self._catalog.slices.read_pixels(slice_record)
        started_at = time.perf_counter()
        found = segmenter.segment(pixels, slice_record.intensity)
        seconds = time.perf_counter() - started_at
        self._catalog.predictions.add(slice_record.id, segmenter.version, found, seconds)
        ensure_severity(
            self._catalog, slice_record.study_id, segmenter.version, segmenter.involvement_calibration
        )
        return Predicted(found.label_map, found.score, segmenter.version, computed=True)

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
