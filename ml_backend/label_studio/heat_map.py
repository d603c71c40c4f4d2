"""Where the model is uncertain, as a second picture of the slice beside the one that is corrected.

One file per slice, always at the same path: a task names it for good, and what it shows follows the
champion. Label Studio 1.23 serves it with an ETag of its time and size, so a browser asks again each time.
"""

import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from chestct.catalog.catalog import Catalog
from chestct.catalog.pixels import from_png
from chestct.catalog.records import PredictionRecord, SliceRecord
from chestct.errors import InputError, ServiceUnavailableError
from chestct.files import write_atomic
from chestct.render.uncertainty import uncertainty_picture

# Shown a few centimetres wide; more pixels would only be served for nothing.
_LONGEST_SIDE = 384
_NEUTRAL_GREY = 64
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Names in the file which version's uncertainty it shows.
_VERSION = "model_version"
_NOTHING = ""


def heat_map_path(catalog: Catalog, slice_record: SliceRecord) -> Path:
    """Where the picture of a slice lies: inside the folder of pictures, which Label Studio serves already.

    Raises:
        InputError: the slice's key is no hash, or the storage is not a local folder.
    """
    key = slice_record.key
    if not _SHA256.fullmatch(key):
        raise InputError("slice key", f"is {key!r}, expected 64 hexadecimal digits")
    pictures = catalog.storage.local_path(slice_record.picture_path).parents[1]
    return pictures / "doubt" / key[:2] / f"{key}.png"


def heat_map_address(catalog: Catalog, slice_record: SliceRecord, picture_address: str) -> str | None:
    """Where Label Studio serves the heat map, a plain grey one where there is none yet.

    Args:
        picture_address: where it serves the slice's own picture.
    Returns:
        None where that address is not one of this catalog's storage.
    """
    if not picture_address.endswith(slice_record.picture_path):
        return None
    path = heat_map_path(catalog, slice_record)
    if not path.exists():
        _write(path, _neutral(slice_record), _NOTHING)
    key = path.relative_to(path.parents[3]).as_posix()
    return picture_address.removesuffix(slice_record.picture_path) + key


def show_heat_map(catalog: Catalog, slice_record: SliceRecord, prediction: PredictionRecord | None) -> bool:
    """Shows where the model of a prediction is uncertain; idempotent.

    Args:
        prediction: None shows nothing: no model has looked, or the reader is to judge without one.
    Returns:
        Whether the file changed.
    """
    uncertainty = None if prediction is None else catalog.predictions.read_uncertainty(prediction)
    version = _NOTHING if prediction is None or uncertainty is None else prediction.model_version
    path = heat_map_path(catalog, slice_record)
    if _shown_version(path) == version:
        return False
    pixels = _neutral(slice_record)
    if uncertainty is not None:
        key = slice_record.picture_path
        pixels = uncertainty_picture(_reduced(from_png(catalog.storage.read_bytes(key), key)), uncertainty)
    _write(path, pixels, version)
    return True


def _neutral(slice_record: SliceRecord) -> npt.NDArray[np.uint8]:
    """Of the slice's shape, so that the page does not jump when the real one comes."""
    return _reduced(np.full((slice_record.height, slice_record.width), _NEUTRAL_GREY, np.uint8))


def _reduced(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _shown_version(path: Path) -> str | None:
    try:
        with Image.open(path) as image:
            return str(image.info.get(_VERSION, _NOTHING))
    except (OSError, SyntaxError):
        return None  # missing or damaged: it is written anew


def _write(path: Path, pixels: npt.NDArray[np.uint8], version: str) -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text(_VERSION, version)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=note)
    try:
        # A reader's browser gets the old picture or the new one, never half of one.
        write_atomic(path, content.getvalue(), durable=False, parents=True)
    except OSError as error:
        raise ServiceUnavailableError("the storage", f"{path.name} cannot be written: {error}") from error
