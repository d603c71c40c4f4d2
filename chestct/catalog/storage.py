"""Files named by the hash of their content, on a local disk or anything fsspec reaches.

A key is `<kind>/<first two of the hash>/<hash>.<suffix>`. Nothing is ever changed or deleted, so a key
that a database row holds stays valid, and the same content is stored once.
"""

import hashlib
import re
from pathlib import Path, PurePosixPath

import fsspec
import numpy as np
import numpy.typing as npt
from fsspec.implementations.local import LocalFileSystem

from chestct.catalog import pixels
from chestct.errors import InputError, NotFoundError, ServiceUnavailableError, SettingsError
from chestct.files import sync_folder, write_atomic

PICTURE, PIXELS, LABEL_MAP, PARTIAL_LABELS = "picture", "pixels", "label_map", "candidates"
DICOM_SOURCE, UNCERTAINTY = "dicom_source", "doubt"

_KIND = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIX = re.compile(r"[a-z0-9]+")
_KEY = re.compile(r"[a-z][a-z0-9_]*/(?P<start>[0-9a-f]{2})/(?P<hash>(?P=start)[0-9a-f]{62})\.[a-z0-9]+")


class Storage:
    """The pixel files of a catalog.

    Args:
        url: a folder, or any URL of fsspec ("s3://bucket/lungloop").
    Raises:
        SettingsError: fsspec knows no such kind of URL, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"LUNGLOOP_STORAGE_URL is {url!r}: {error}; give a folder or install the package"
            ) from error
        self.root_path = Path(self._root) if isinstance(self._files, LocalFileSystem) else None

    def write_bytes(self, kind: str, data: bytes, suffix: str) -> str:
        """Store content and return its key; on return it survives a power cut (local disks).

        Raises:
            ServiceUnavailableError: the disk is full or may not be written.
        """
        if not _KIND.fullmatch(kind) or not _SUFFIX.fullmatch(suffix):
            raise InputError("storage key", f"kind {kind!r} and suffix {suffix!r} must be lower-case words")
        content_hash = hashlib.sha256(data).hexdigest()
        key = f"{kind}/{content_hash[:2]}/{content_hash}.{suffix}"
        try:
            if self.root_path is not None:
                _write_durably(self.root_path, self.root_path / key, data)
            elif not self._files.exists(self._address(key)):
                # Object stores show a file only once it is whole, so there is nothing to rename.
                self._files.pipe_file(self._address(key), data)
        except OSError as error:
            raise ServiceUnavailableError("the storage", f"{key} cannot be written: {error}") from error
        return key

    def read_bytes(self, key: str) -> bytes:
        """The content under a key, checked against the hash in its name.

        Raises:
            InputError: the key is not one of ours, or the file's content is damaged.
            NotFoundError: there is no such file.
            ServiceUnavailableError: the storage does not answer.
        """
        address = self._address(key)
        try:
            data = self._files.cat_file(address)
        except FileNotFoundError as error:
            raise NotFoundError(f"{key} is not in the storage {self._root}; was it moved?") from error
        except OSError as error:
            raise ServiceUnavailableError("the storage", f"{key} cannot be read: {error}") from error
        if hashlib.sha256(data).hexdigest() != PurePosixPath(key).stem:
            raise InputError(key, "its content does not match the hash in its name: damaged; restore it")
        return data

    def local_path(self, key: str) -> Path:
        """Where the file lies on this machine's disk.

        Raises:
            InputError: the key is not one of ours, or the storage is not a local folder.
        """
        self._address(key)
        if self.root_path is None:
            raise InputError(key, f"lies in {self._root}, not on a local disk; read its bytes instead")
        return self.root_path / key

    def write_label_map(self, label_map: npt.NDArray[np.uint8]) -> str:
        """Store a (H, W) uint8 label map (values of Label) as a lossless PNG."""
        return self.write_bytes(LABEL_MAP, pixels.label_map_png(label_map), "png")

    def read_label_map(self, key: str) -> npt.NDArray[np.uint8]:
        """(H, W) uint8, bit for bit what was stored."""
        return pixels.from_png(self.read_bytes(key), key)

    def _address(self, key: str) -> str:
        # The pattern leaves no room for "..", a leading slash or a backslash: nothing escapes the root.
        if not _KEY.fullmatch(key):
            raise InputError(key, "is not a storage key; expected <kind>/<2 hex>/<64 hex>.<suffix>")
        return f"{self._root.rstrip('/')}/{key}"


def _write_durably(root: Path, final: Path, data: bytes) -> None:
    """Written atomically; a file that is there already stays."""
    if not (final.is_file() and final.read_bytes() == data):
        write_atomic(final, data, parents=True)
    # The names must survive a power cut too, those of new folders and of another process's file included.
    for folder in (final.parent, final.parent.parent, root):
        sync_folder(folder)
