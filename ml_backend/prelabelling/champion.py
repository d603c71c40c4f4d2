"""The champion, and what serves beside it, as this process sees them: asked each time, loaded when needed."""

import threading
from collections.abc import Callable

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release
from chestct.derived.grade_resolution import Calibrations
from chestct.inference.segmenter import Segmenter
from chestct.settings import Settings


class Champion:
    """The models that serve: the champion, and where two serve, that of the studies it learned from.

    Another process may promote a version at any time, so every question goes to the catalog. A new
    network is loaded beside the old ones and they are swapped in one step: requests that already hold
    an old one finish with it.

    Args:
        catalog: which version serves what.
        load: gives the segmenter of a version; slow.
    """

    def __init__(self, catalog: Catalog, load: Callable[[str], Segmenter]) -> None:
        self._catalog = catalog
        self._load = load
        self._loading = threading.Lock()
        self._loaded: dict[str, Segmenter] = {}

    def release(self) -> Release:
        """What serves now; answers at once, loads nothing.

        Raises:
            NotFoundError: there is no champion yet.
        """
        return self._catalog.versions.required_release()

    def segmenter(self, version: str | None = None) -> Segmenter:
        """The segmenter of a version.

        Args:
            version: one of the release's; None stands for the champion, which serves what nobody knows.
        Raises:
            NotFoundError: there is no champion yet.
            WeightsError: its weights are missing or damaged; an older model never stands in.
        """
        version = version or self.release().default
        segmenter = self._loaded.get(version)
        if segmenter is not None:
            return segmenter
        with self._loading:
            if version not in self._loaded:
                # Networks are large: those that no longer serve are let go.
                serving = self.release().versions
                kept = {name: loaded for name, loaded in self._loaded.items() if name in serving}
                self._loaded = {**kept, version: self._load(version)}
            return self._loaded[version]

    def calibrations(self, release: Release) -> Calibrations:
        """Of each version of a release, from its card; loads what is not loaded.

        Raises:
            WeightsError: as `segmenter`.
        """
        return {version: self.segmenter(version).involvement_calibration for version in release.versions}


def load_with_torch(settings: Settings) -> Callable[[str], Segmenter]:
    """The real loader of a version's segmenter."""

    def load(version: str) -> Segmenter:
        # Torch takes 3 s and 500 MB: the server must answer /health before that, and jobs that only
        # sync never need it.
        from chestct.inference.unet_segmenter import UNetSegmenter

        return UNetSegmenter.load(settings.weights_dir, version)

    return load
