"""What commands open: the catalog, the queue and Label Studio of the settings."""

import re

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release
from chestct.errors import ServiceUnavailableError, WeightsError
from chestct.model.card import list_versions, stored_card
from chestct.settings import Settings


def open_catalog(settings: Settings, *, create: bool = False) -> Catalog:
    """The catalog of the settings, closed at the end of a `with` block.

    Args:
        create: whether a missing catalog is begun.
    Raises:
        ServiceUnavailableError: there is none, or its database does not answer.
    """
    return Catalog.open(settings.database_url, settings.storage_url, create=create)


def shipped_version(settings: Settings) -> str:
    """The newest model that came with the project.

    Raises:
        WeightsError: the weights folder holds none.
    """
    shipped = [version for version in list_versions(settings.weights_dir) if version.startswith("base-")]
    if not shipped:
        raise WeightsError(
            f"no shipped model (base-...) in {settings.weights_dir}: restore it, make one "
            "with `lungloop fit`, or set LUNGLOOP_WEIGHTS_DIR"
        )
    # `base-10` comes after `base-2`.
    return max(shipped, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])


def ensure_release(catalog: Catalog, settings: Settings) -> Release:
    """What serves, with the newest shipped model made known, and champion where there is none.

    Raises:
        WeightsError: the weights folder holds no shipped model, or not what serves.
    """
    champion = catalog.versions.ensure_base(shipped_version(settings))
    return _with_cards(catalog.versions.release() or Release(champion.version), settings)


def ensure_champion(settings: Settings) -> str:
    """The catalog's champion; the newest shipped model becomes it where there is none yet.

    Raises:
        WeightsError: the weights folder holds no shipped model, or not what serves.
    """
    with open_catalog(settings, create=True) as catalog:
        release = catalog.versions.release()
        if release is None:
            return ensure_release(catalog, settings).default
    return _with_cards(release, settings).default


def serving_version(settings: Settings) -> str:
    """The catalog's champion, or the newest shipped model where there is no catalog."""
    try:
        with open_catalog(settings) as catalog:
            champion = catalog.versions.champion()
    except ServiceUnavailableError:
        champion = None
    return shipped_version(settings) if champion is None else champion.version


def _with_cards(release: Release, settings: Settings) -> Release:
    """The champion of an older home may ship no more; its missing card says how to go on."""
    for version in release.versions:
        stored_card(settings.weights_dir, version)
    return release
