"""Pictures of slices: PNG, JPEG and TIFF, and label maps as PNG.

Grey levels of 8 bits carry an unknown window, so such a picture never counts as HU; what deeper ones
mean is decided by `deep_levels` and told. A TIFF of several pages is a stack of slices. Colour is
accepted where it is grey in disguise (three equal channels, JPEG's rounding allowed) or where a few
marks were drawn on it; then the luminance counts. Pixels are taken as stored: an EXIF turn is
not applied, so that a label map fits the file's own rows and columns.
"""

import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestct.errors import InputError
from chestct.files import atomic_file, reading, refusing, writing
from chestct.formats.deep_levels import Levels, decided
from chestct.formats.folders import failed
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.study import FailedInput, Study

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MIN_SIDE, MAX_SIDE = 64, 4096
# Of one TIFF: 512 x 512 x 1024.
MAX_PAGES, MAX_PIXELS = 4096, 2**28
# JPEG stores colour apart from brightness; rounding alone moves channels this far apart.
_GREY_TOLERANCE = 12
# Arrows and scale bars stay far below this share of a slice; a photograph is far above.
_MAX_COLOURED_FRACTION = 0.05
_GREY_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_DEEP_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_TOO_LARGE = f"is larger than {MAX_SIDE} pixels a side; expected {MIN_SIDE} to {MAX_SIDE}"
# What Pillow 13 raises for damaged files, beside OSError.
_DAMAGED = (SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, OSError)
_CUT_OFF = "is damaged or cut off ({error}); copy or download it again"


def is_picture_name(path: Path) -> bool:
    """Whether the name promises a PNG, JPEG or TIFF."""
    return path.name.lower().endswith(SUFFIXES)


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 grey levels of one picture.

    Raises:
        InputError: not a readable 8-bit grey PNG, JPEG or TIFF of one page and 64 to 4096 pixels a side.
    """
    with _opened(path) as image:
        if image.mode in _DEEP_MODES:
            raise InputError(
                path, f"stores {image.mode} pixels (16 bits or more); expected 8 bits, or NIfTI for HU"
            )
        page = _page(path, image)
        if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
            raise InputError(path, "holds several pages; expected one picture")
        return page.astype(np.uint8, copy=False)


def read_pages(path: Path) -> list[Levels]:
    """(H, W) arrays of a picture's pages: uint8 grey levels, or the numbers that a deeper one stores.

    Raises:
        InputError: unreadable, too small, too large, too many pages, or pages of unequal depth.
    """
    with _opened(path) as image:
        pages = [_page(path, image)]
        while image.format == "TIFF" and _turn_page(path, image, len(pages)):
            if len(pages) == MAX_PAGES or sum(page.size for page in pages) > MAX_PIXELS:
                raise InputError(path, f"holds more than {MAX_PAGES} pages or {MAX_PIXELS} pixels; split it")
            if max(image.size) > MAX_SIDE:
                raise InputError(path, _TOO_LARGE)
            pages.append(_page(path, image))
    if len({page.dtype for page in pages}) > 1:
        raise InputError(path, "mixes pages of 8 bits and more; expected one depth")
    return pages


def read_image_study(path: Path) -> Study:
    """A single file as a study of one slice, or of one a page."""
    pages = read_pages(path)
    alone = len(pages) == 1
    names = [path.name if alone else f"{path.stem}-{page:03d}{path.suffix}" for page in range(len(pages))]
    return _study(path, path.stem, names, pages)


def read_pictures(folder: Path, pictures: Iterable[Path]) -> Iterator[Study | FailedInput]:
    """Pictures directly in a folder as one study; each unreadable one is named first.

    A TIFF of several pages is a study of its own; so are pictures of more than 8 bits where others of
    8 bits lie beside them.
    """
    flat: dict[str, Levels] = {}
    deep: dict[str, Levels] = {}
    for path in pictures:
        try:
            pages = read_pages(path)
        except InputError as error:
            yield failed(path, error)
            continue
        if len(pages) > 1:
            yield read_image_study(path)
        else:
            (flat if pages[0].dtype == np.uint8 else deep)[path.name] = pages[0]
    if flat:
        yield _study(folder, folder.name, list(flat), list(flat.values()))
    if deep:
        name = f"{folder.name}-16-bit" if flat else folder.name
        yield _study(folder, name, list(deep), list(deep.values()))


def read_label_map_png(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 values of Label from a single-channel PNG.

    Raises:
        InputError: unreadable, more than one channel, or a pixel is none of 0, 1, 2, 3.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P"):
            raise InputError(path, f"stores {image.mode} pixels; expected a label map in one 8-bit channel")
        label_map = _decoded(path, image, None)
    if label_map.max() > max(Label):
        raise InputError(
            path, f"holds values up to {label_map.max()}; expected a label map of 0 to {int(max(Label))}"
        )
    return label_map


def read_mask_picture(path: Path) -> npt.NDArray[np.bool_]:
    """(H, W) booleans from a picture of a mask: bright (above 127) is inside."""
    with _opened(path) as image:
        if image.mode not in ("L", "1", "P"):
            raise InputError(path, f"stores {image.mode} pixels; expected a mask in one channel, 0 and 255")
        return _decoded(path, image, "L") > 127


def read_mask_values(path: Path) -> list[npt.NDArray[np.integer]]:
    """(H, W) whole numbers of each page of a mask, as stored: palette indices, 0 and 255, 1 to 3.

    JPEG blurs every number, so there bright (above 127) is 255 and dark 0.

    Raises:
        InputError: unreadable, or in colours.
    """
    pages = []
    with _opened(path) as image:
        while len(pages) < MAX_PAGES:
            pages.append(_mask_page(path, image))
            if image.format != "TIFF" or not _turn_page(path, image, len(pages)):
                return pages
            if max(image.size) > MAX_SIDE:
                raise InputError(path, _TOO_LARGE)
    raise InputError(path, f"holds more than {MAX_PAGES} pages; split it")


def _mask_page(path: Path, image: Image.Image) -> npt.NDArray[np.integer]:
    if image.mode == "F":
        raise InputError(path, "stores real numbers; expected whole numbers, one for each class")
    with refusing(path, _DAMAGED, _CUT_OFF):
        numbers = np.array(image.convert("L") if image.mode == "1" else image)
    if numbers.ndim == 3:
        colours = numbers[..., : 1 if image.mode == "LA" else 3]
        if (colours != colours[..., :1]).any():
            raise InputError(path, "is a mask in colours; expected one channel with a number for each class")
        numbers = colours[..., 0]
    if image.format == "JPEG":
        numbers = np.where(numbers > 127, 255, 0)
    return numbers.astype(np.int32)


def write_label_map_png(path: Path, label_map: npt.NDArray[np.uint8]) -> None:
    """A label map as single-channel PNG, bit-exact; whole or not there."""
    with writing(path), atomic_file(path, durable=False) as file:
        Image.fromarray(label_map).save(file, format="PNG")


def _study(source: Path, name: str, names: list[str], pages: list[Levels]) -> Study:
    intensity, notes = Intensity.PICTURE, ()
    if pages[0].dtype != np.uint8:
        pages, intensity, note = decided(pages)
        notes = (note,)
    return Study(
        name=name,
        patient=name,
        slices=tuple(pages),
        intensity=intensity,
        source=source,
        slice_names=tuple(names),
        notes=notes,
    )


def _page(path: Path, image: Image.Image) -> Levels:
    """The page that an opened picture shows now."""
    if min(image.size) < MIN_SIDE:
        width, height = image.size
        raise InputError(path, f"is {width} x {height} pixels; expected {MIN_SIDE} to {MAX_SIDE} a side")
    if image.mode in ("L", "1"):
        return _decoded(path, image, "L")
    if image.mode in _GREY_MODES:
        return _grey(path, _decoded(path, image, "RGBA"))
    if image.mode not in _DEEP_MODES:
        raise InputError(path, f"stores {image.mode} pixels; expected grey levels")
    with refusing(path, _DAMAGED, _CUT_OFF):
        numbers = np.array(image)
    if not np.isfinite(numbers).all():
        raise InputError(path, "holds NaN or infinite numbers; expected a number in each pixel")
    return numbers


def _turn_page(path: Path, image: Image.Image, page: int) -> bool:
    with refusing(path, _DAMAGED, _CUT_OFF):
        try:
            image.seek(page)
        except EOFError:
            return False
    return True


def _opened(path: Path) -> Image.Image:
    """The picture with its size checked and nothing decoded yet."""
    with reading(path):
        path.open("rb").close()
    try:
        # Pillow's words about a damaged TIFF header; what matters of it comes as an error of ours. Threads
        # that do this at once can at worst leave these warnings ignored.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")
            image = Image.open(path, formats=("PNG", "JPEG", "TIFF"))
    # Pillow warns of, then refuses, pictures whose header claims a great many pixels.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(path, _TOO_LARGE) from error
    except _DAMAGED as error:
        raise InputError(path, "is not a readable PNG, JPEG or TIFF picture") from error
    if max(image.size) > MAX_SIDE:
        image.close()
        raise InputError(path, _TOO_LARGE)
    return image


def _decoded(path: Path, image: Image.Image, mode: str | None) -> npt.NDArray[np.uint8]:
    """Decoded pixels, converted to a mode of Pillow unless that is None (palette indices stay)."""
    with refusing(path, _DAMAGED, _CUT_OFF):
        if image.mode in ("CMYK", "YCbCr"):
            image = image.convert("RGB")
        return np.array(image if mode in (None, image.mode) else image.convert(mode), dtype=np.uint8)


def _grey(path: Path, rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 to luminance on black, refused where it is a picture in colour."""
    channels = rgba[..., :3].astype(np.int16)
    coloured = float((np.ptp(channels, axis=-1) > _GREY_TOLERANCE).mean())
    if coloured > _MAX_COLOURED_FRACTION:
        raise InputError(
            path, f"is a colour picture ({coloured:.0%} of its pixels); expected a CT slice in grey levels"
        )
    # ITU-R BT.601, as Pillow's own conversion to grey; equal channels come out unchanged.
    luminance = (channels @ np.array([299, 587, 114], dtype=np.int64) + 500) // 1000
    return (luminance * rgba[..., 3] // 255).astype(np.uint8)
