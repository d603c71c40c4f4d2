"""The champion as this process sees it: asked of the catalog each time, loaded when first needed."""

import threading
from collections.abc import Callable

from chestct.catalog.catalog import Catalog
from chestct.errors import NotFoundError
from chestct.inference.segmenter import Segmenter
from chestct.settings import Settings


class Champion:
    """The model that serves.

    Another process may promote a version at any time, so every question goes to the catalog. The
    new network is loaded beside the old one and swapped in one step: requests that already hold
    the old one finish with it.

    Args:
        catalog: who the champion is.
        load: gives the segmenter of a version; slow.
    """

    def __init__(self, catalog: Catalog, load: Callable[[str], Segmenter]) -> None:
        self._catalog = catalog
        self._load = load
        self._loading = threading.Lock()
        self._loaded: Segmenter | None = None

    def version(self) -> str:
        """The champion's name; answers at once, loads nothing.

        Raises:
            NotFoundError: there is no champion yet.
        """
        champion = self._catalog.versions.champion()
        if champion is None:
            raise NotFoundError("there is no champion yet; `lungloop up` makes the shipped weights champion")
        return champion.version

    def segmenter(self) -> Segmenter:
        """The champion's segmenter.

        Raises:
            NotFoundError: there is no champion yet.
            WeightsError: its weights are missing or damaged; an older model never stands in.
        """
        version = self.version()
        loaded = self._loaded
        if loaded is not None and loaded.version == version:
            return loaded
        with self._loading:
            if self._loaded is None or self._loaded.version != version:
                self._loaded = self._load(version)
            return self._loaded


def load_with_torch(settings: Settings) -> Callable[[str], Segmenter]:
    """The real loader of a version's segmenter."""

    def load(version: str) -> Segmenter:
        # Torch takes 3 s and 500 MB: the server must answer /health before that, and jobs that only
        # sync never need it.
        from chestct.inference.unet_segmenter import UNetSegmenter

        return UNetSegmenter.load(settings.weights_dir, version)

    return load
