"""What open slice tasks need besides their predictions: a heat map, and for some a second reader."""

import logging
from collections.abc import Mapping, Sequence

from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, LungLoopError, NotFoundError, ServiceUnavailableError
from ml_backend.label_studio.heat_map import heat_map_address, show_heat_map
from ml_backend.label_studio.label_config import UNCERTAINTY_KEY
from ml_backend.label_studio.rows import TaskState
from ml_backend.prelabelling.compose import is_unassisted
from ml_backend.prelabelling.open_tasks import OpenTasks

_LOG = logging.getLogger(__name__)

_TWO_READERS = 2


def half_read_slices(
    tasks: OpenTasks, states: Mapping[int, TaskState], open_slices: Sequence[SliceRecord]
) -> list[SliceRecord]:
    """Slices that one of two readers has read: done for the catalog, still open for the second reader."""
    open_ids = {slice_record.id for slice_record in open_slices}
    double_read = [
        tasks.catalog.slices.get(slice_id)
        for slice_id, allocation in tasks.catalog.allocations.all().items()
        if allocation.read_twice and slice_id not in open_ids
    ]
    return [
        slice_record
        for task_id, slices in tasks.showing(double_read).items()
        if task_id in states and not states[task_id].is_labeled
        for slice_record in slices
    ]


def show_uncertainties(
    tasks: OpenTasks,
    states: Mapping[int, TaskState],
    slices_of: Mapping[int, Sequence[SliceRecord]],
    release_name: str,
) -> None:
    """Brings the heat maps to the version that serves each slice, where the configuration shows them.

    A slice without pre-label shows none either: it would tell the reader what the model found.
    """
    if not tasks.config.shows_uncertainty:
        return
    catalog, allocations = tasks.catalog, tasks.catalog.allocations.all()
    for task_id, (slice_record,) in slices_of.items():
        slice_id = slice_record.id
        unassisted = is_unassisted(catalog, slice_id, release_name, allocations.get(slice_id))
        try:
            show_heat_map(
                catalog,
                slice_record,
                None if unassisted else catalog.predictions.of_slice(slice_id, release_name),
            )
            _name_heat_map(tasks, states.get(task_id), slice_record)
        except ServiceUnavailableError:
            raise
        except LungLoopError as error:
            # The slice can be corrected without it.
            _LOG.warning("no heat map for task %s: %s", task_id, error)
            tasks.failed[f"heat map of task {task_id}"] = str(error)


def ask_second_readers(
    tasks: OpenTasks, states: Mapping[int, TaskState], slices_of: Mapping[int, Sequence[SliceRecord]]
) -> None:
    """Lets a second reader be served the slices that are drawn for a double read.

    Label Studio 1.23 takes `overlap` for each task through the API only. The project's own number of
    annotations stays 1: with more, it serves what others began, at random, before everything else.
    """
    allocations = tasks.catalog.allocations.all()
    for task_id, (slice_record,) in slices_of.items():
        state, allocation = states.get(task_id), allocations.get(slice_record.id)
        if state is None or allocation is None or not allocation.read_twice:
            continue
        if state.overlap < _TWO_READERS and not state.is_labeled:
            try:
                tasks.client.update_task(task_id, overlap=_TWO_READERS)
            except NotFoundError:
                continue
            except InputError as error:
                tasks.failed[f"second reader of task {task_id}"] = str(error)


def _name_heat_map(tasks: OpenTasks, state: TaskState | None, slice_record: SliceRecord) -> None:
    """Tasks made before there were heat maps name none; Label Studio shows an empty frame there."""
    if state is None or state.data.get(UNCERTAINTY_KEY) or not state.data.get(tasks.config.image_key):
        return
    address = heat_map_address(tasks.catalog, slice_record, str(state.data[tasks.config.image_key]))
    if address is not None:
        tasks.client.update_task(state.id, data={**state.data, UNCERTAINTY_KEY: [address]})
