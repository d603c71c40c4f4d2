"""The model for those who serve it with label-studio-ml instead of `lungloop serve`.

    from label_studio_ml.api import init_app
    from ml_backend.label_studio_ml_adapter import LungLoopMLBase
    app = init_app(LungLoopMLBase)

Fits label-studio-ml 1.0.9 (the last release) and the shape of 2.x (not released). Settings come
from the environment as everywhere. This is the only module that imports label_studio_ml.

What 1.0.9 itself cannot do: its /setup answers "INITIAL" whatever the model says, so Label Studio
asks again for tasks that it has a prediction of (the catalog answers those), and its /webhook does
not pass START_TRAINING on. Our own server does both.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from label_studio_ml.model import (  # pyright: ignore[reportMissingImports] - an environment of its own
    LabelStudioMLBase,
)

from chestct.catalog.catalog import Catalog
from chestct.errors import InputError
from chestct.settings import Settings
from ml_backend.model import Backend, LungLoopModel


@lru_cache(maxsize=1)
def _backend(settings: Settings) -> Backend:
    # label-studio-ml makes a new model object for every call and hands it nothing of ours.
    return Backend.build(settings, Catalog.open(settings.database_url, settings.storage_url))


class LungLoopMLBase(LabelStudioMLBase):
    """`LungLoopModel` as a LabelStudioMLBase."""

    def setup(self) -> None:
        """2.x calls this on construction and asks `model_version` afterwards."""
        self.set("model_version", self._model().setup())

    def predict(
        self, tasks: Sequence[Any], context: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """One result for each task, as `LungLoopModel.predict`; a list is what both versions take."""
        return self._model().predict(tasks, context=context)

    def fit(self, *arguments: Any, **kwargs: Any) -> dict[str, Any]:
        """An event: 2.x calls `fit(event, data)`, 1.0.9 `fit((), event=..., data=...)`.

        Raises:
            InputError: neither.
        """
        event = kwargs.get("event", arguments[0] if arguments else None)
        data = kwargs.get("data", arguments[1] if len(arguments) > 1 else None)
        if not isinstance(event, str) or not isinstance(data, Mapping):
            raise InputError("fit", f"was called with the event {event!r} and {type(data).__name__} as data")
        return self._model().fit(event, data)

    def _model(self) -> LungLoopModel:
        return LungLoopModel(_backend(Settings.load()), self.label_config)
