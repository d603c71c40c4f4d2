"""Which slice or picture a Label Studio task shows; reads nothing outside Label Studio's own files."""

import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, NotFoundError
from chestct.formats.images import read_picture
from ml_backend.label_studio.client import LabelStudio

_LOCAL_FILES, _UPLOADS = "/data/local-files/", "/data/upload/"
# A 4096 x 4096 RGBA picture without any compression.
_MOST_BYTES = 64 * 2**20
_STORAGE_KEY = re.compile(r"(?:^|/)(picture/[0-9a-f]{2}/[0-9a-f]{64}\.png)$")


class TaskPictures:
    """Finds what a task shows.

    Args:
        catalog: slices by study and index, or by their picture.
        files_root: folder that `/data/local-files/?d=` is relative to, where this machine sees it.
        label_studio: serves what is not on this machine; None where none is configured.
    """

    def __init__(
        self, catalog: Catalog, files_root: Path | None = None, label_studio: LabelStudio | None = None
    ) -> None:
        self._catalog, self._files_root, self._label_studio = catalog, files_root, label_studio

    def find(self, task: Mapping[str, Any], image_key: str) -> SliceRecord | npt.NDArray[np.uint8]:
        """The catalog's slice, or the (H, W) uint8 pixels of a picture that it does not know.

        Args:
            image_key: key of the task's `data` that holds the picture's address.
        Raises:
            InputError: the task names no picture that may be read.
        """
        data, address = _data_of(task), _data_of(task).get(image_key)
        if not isinstance(address, str) or not address:
            raise InputError("task", f"its data has no address of a picture under {image_key!r}")
        return self.slice_of(data, image_key) or self._picture(address)

    def find_all(
        self, task: Mapping[str, Any], image_key: str
    ) -> list[SliceRecord] | list[npt.NDArray[np.uint8]]:
        """The catalog's slices that a study task shows, in the order of its pictures, or their pixels.

        Args:
            image_key: key of the task's `data` that holds the list of addresses.
        Raises:
            InputError: the task names no pictures that may be read.
        """
        data, addresses = _data_of(task), _data_of(task).get(image_key)
        if not isinstance(addresses, list) or not addresses or not all(isinstance(a, str) for a in addresses):
            raise InputError("task", f"its data has no list of pictures' addresses under {image_key!r}")
        return self.slices_of(data, image_key) or [self._picture(address) for address in addresses]

    def slices_of(self, data: Mapping[str, Any], image_key: str = "images") -> list[SliceRecord] | None:
        """The slices of one study that a study task's `data` means, in the order of its pictures.

        None where it means none, pictures of several studies, or one slice twice.
        """
        addresses = data.get(image_key)
        if not isinstance(addresses, list) or not addresses:
            return None
        named: dict[int, SliceRecord] = {}
        if isinstance(study := data.get("study"), str):
            with suppress(NotFoundError):
                study_id = self._catalog.studies.by_name(study).id
                named = {item.index: item for item in self._catalog.slices.of_study(study_id)}
        indices = data.get("slice")
        if not isinstance(indices, list) or len(indices) != len(addresses):
            indices = [None] * len(addresses)
        slices: dict[int, SliceRecord] = {}
        for address, index in zip(addresses, indices, strict=True):
            slice_record = self._meant(address, named.get(index) if _is_index(index) else None)
            if slice_record is None:
                return None
            slices[slice_record.id] = slice_record
        is_one_study = len({item.study_id for item in slices.values()}) == 1 and len(slices) == len(addresses)
        return list(slices.values()) if is_one_study else None

    def slice_of(self, data: Mapping[str, Any], image_key: str = "image") -> SliceRecord | None:
        """The catalog's slice that a task's `data` means, None where it means none."""
        study, index, named = data.get("study"), data.get("slice"), None
        if isinstance(study, str) and _is_index(index):
            with suppress(NotFoundError):
                named = self._catalog.slices.by_index(study, index)
        return self._meant(data.get(image_key), named)

    def _meant(self, address: object, named: SliceRecord | None) -> SliceRecord | None:
        """Study and index count only as far as the address does not say otherwise.

        Another catalog may have used the same names.
        """
        key = _storage_key(str(address or ""))
        if named is not None and key in (None, named.picture_path):
            return named
        return None if key is None else self._catalog.slices.by_picture(key)

    def _picture(self, address: str) -> npt.NDArray[np.uint8]:
        url = urlsplit(address)
        # An address without scheme and host is on Label Studio itself.
        ours = urlsplit(self._label_studio.http.url)[:2] if self._label_studio else ("", "")
        if url[:2] not in (("", ""), ours):
            raise InputError(address, "lies outside Label Studio; only pictures that it serves are read")
        if ".." in PurePosixPath(unquote(url.path)).parts:
            raise InputError(address, "points outside its folder")
        if url.path == _LOCAL_FILES:
            return self._local_file(address, (parse_qs(url.query).get("d") or [""])[0])
        if url.path.startswith(_UPLOADS):
            return self._download(url.path)
        raise InputError(
            address, f"is no picture of Label Studio's; expected {_LOCAL_FILES}?d=... or {_UPLOADS}..."
        )

    def _local_file(self, address: str, relative: str) -> npt.NDArray[np.uint8]:
        path = PurePosixPath(relative)
        if not relative or path.is_absolute() or ".." in path.parts or "\0" in relative:
            raise InputError(address, "points outside its folder")
        if self._files_root is None:
            return self._download(address)
        try:
            # Resolved, so that a link inside the root cannot lead out of it.
            root = self._files_root.resolve()
            file = (root / path).resolve()
            outside = not file.is_relative_to(root) or not file.is_file()
        except OSError as error:
            raise InputError(address, f"cannot be looked up: {error.strerror}") from error
        if outside:
            raise InputError(address, "is not a file below Label Studio's document root")
        return _read(file, address)

    def _download(self, address: str) -> npt.NDArray[np.uint8]:
        if self._label_studio is None:
            raise InputError(address, "cannot be fetched: no Label Studio is configured")
        url = urlsplit(address)
        path = url.path + (f"?{url.query}" if url.query else "")
        try:
            content = self._label_studio.http.bytes(path, _MOST_BYTES)
        except NotFoundError as error:
            raise InputError(address, "is not in Label Studio") from error
        with tempfile.TemporaryDirectory(prefix="lungloop-") as folder:
            file = Path(folder) / "picture"
            file.write_bytes(content)
            return _read(file, address)


def _data_of(task: Mapping[str, Any]) -> Mapping[str, Any]:
    data = task.get("data")
    if not isinstance(data, Mapping):
        raise InputError("task", "has no `data`")
    return data


def _is_index(value: object) -> TypeGuard[int]:
    # In Python True is 1, but in JSON it is no index.
    return isinstance(value, int) and not isinstance(value, bool)


def _read(file: Path, address: str) -> npt.NDArray[np.uint8]:
    try:
        return read_picture(file)
    except InputError as error:
        raise InputError(address, error.reason) from error


def _storage_key(address: str) -> str | None:
    """The catalog's key of a picture, whatever host and root its address begins with."""
    url = urlsplit(address)
    match = _STORAGE_KEY.search((parse_qs(url.query).get("d") or [unquote(url.path)])[0])
    return match.group(1) if match else None
