"""Tasks that readers have not done: their place in the order, their heat map, how many read them."""

import logging
from collections.abc import Mapping

from chestct.catalog.catalog import Catalog
from chestct.errors import InputError, LungLoopError, NotFoundError, ServiceUnavailableError
from chestct.progress import OnProgress, Progress, unheard
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.heat_map import heat_map_address, show_heat_map
from ml_backend.label_studio.label_config import UNCERTAINTY_KEY, LabelConfig
from ml_backend.label_studio.rows import TaskState
from ml_backend.prelabelling.prelabels import is_unassisted

_LOG = logging.getLogger(__name__)

_TWO_READERS = 2


def bring_scores(
    client: LabelStudio,
    there: Mapping[int, TaskState],
    model_version: str,
    wanted: Mapping[int, float],
    failed: dict[str, str],
    on_progress: OnProgress = unheard,
) -> int:
    """Changes the stored scores that differ, lowest first: what is served next is right soonest.

    Args:
        there: the tasks as Label Studio has them.
        model_version: whose predictions.
        wanted: task -> score.
        failed: told of a prediction that is refused; one that is gone needs no place.
    Returns:
        How many predictions were changed.
    """
    changes = [
        (score, task_id, prediction_id)
        for task_id, score in wanted.items()
        for prediction_id, now in there[task_id].scores.get(model_version, {}).items()
        if now != score
    ]
    changed = 0
    for score, task_id, prediction_id in sorted(changes):
        on_progress(Progress(changed, len(changes)))
        try:
            client.set_score(prediction_id, score)
        except NotFoundError:
            continue
        except InputError as error:
            failed[f"task {task_id}"] = str(error)
            continue
        changed += 1
    return changed


class OpenTasks:
    """What the open slice tasks of one project need besides their predictions.

    Args:
        there: the tasks as Label Studio had them; with their data where the configuration shows doubt.
        failed: slice or task -> why it has no heat map or no second reader.
    """

    def __init__(
        self,
        catalog: Catalog,
        client: LabelStudio,
        there: Mapping[int, TaskState],
        config: LabelConfig,
        failed: dict[str, str],
    ) -> None:
        self._catalog = catalog
        self._client = client
        self._there = there
        self._config = config
        self._failed = failed

    def show_uncertainties(self, slice_of: Mapping[int, int], model_version: str) -> None:
        """Brings the heat maps to the version, where the configuration shows them.

        A slice without pre-label shows none either: it would tell the reader what the model found.

        Args:
            slice_of: task -> slice.
        """
        if not self._config.shows_uncertainty:
            return
        assignments = self._catalog.allocations.all()
        for task_id, slice_id in slice_of.items():
            one = self._catalog.slices.get(slice_id)
            blank = is_unassisted(self._catalog, slice_id, model_version, assignments.get(slice_id))
            try:
                shown = None if blank else self._catalog.predictions.of_slice(slice_id, model_version)
                show_heat_map(self._catalog, one, shown)
                self._name_heat_map(task_id, slice_id)
            except ServiceUnavailableError:
                raise
            except LungLoopError as error:
                # The slice can be corrected without it.
                _LOG.warning("no heat map for task %s: %s", task_id, error)
                self._failed[f"heat map of task {task_id}"] = str(error)

    def ask_two_readers(self, slice_of: Mapping[int, int]) -> None:
        """Lets a second reader be served what is to be read twice.

        Label Studio 1.23 takes `overlap` for each task through the API only. The project's own number of
        annotations stays 1: with more, it serves what others began, at random, before everything else.
        """
        assignments = self._catalog.allocations.all()
        for task_id, slice_id in slice_of.items():
            task, drawn = self._there.get(task_id), assignments.get(slice_id)
            if task is None or drawn is None or not drawn.read_twice:
                continue
            if task.overlap < _TWO_READERS and not task.is_labeled:
                try:
                    self._client.update_task(task_id, overlap=_TWO_READERS)
                except NotFoundError:
                    continue
                except InputError as error:
                    self._failed[f"second reader of task {task_id}"] = str(error)

    def _name_heat_map(self, task_id: int, slice_id: int) -> None:
        """Tasks made before there were heat maps name none; Label Studio shows an empty place there."""
        task = self._there.get(task_id)
        if task is None or task.data.get(UNCERTAINTY_KEY) or not task.data.get(self._config.image_key):
            return
        picture = str(task.data[self._config.image_key])
        address = heat_map_address(self._catalog, self._catalog.slices.get(slice_id), picture)
        if address is not None:
            self._client.update_task(task_id, data={**task.data, UNCERTAINTY_KEY: [address]})
