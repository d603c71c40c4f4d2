import os
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.storage import Storage
from chestct.errors import InputError, NotFoundError, ServiceUnavailableError, SettingsError

# sha256 of b"abc", from FIPS 180-2's examples.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}")


def test_a_key_names_the_kind_and_the_hash_of_the_content(storage):
    assert storage.write_bytes("picture", b"abc", "png") == f"picture/ba/{ABC}.png"


def test_what_was_written_is_read_back_and_twice_is_once(storage):
    key = storage.write_bytes("picture", b"abc", "png")
    assert storage.write_bytes("picture", b"abc", "png") == key
    assert storage.read_bytes(key) == b"abc"


def test_a_label_map_comes_back_bit_for_bit(storage):
    label_map = np.array([[0, 1], [2, 3]], np.uint8)
    restored = storage.read_label_map(storage.write_label_map(label_map))
    assert restored.dtype == np.uint8
    assert restored.tolist() == label_map.tolist()


@pytest.mark.parametrize("label_map", [np.full((2, 2), 4, np.uint8), np.zeros((2, 2), np.int16), np.zeros(4)])
def test_what_is_no_label_map_is_refused(storage, label_map):
    with pytest.raises(InputError):
        storage.write_label_map(label_map)


@pytest.mark.parametrize(
    "key",
    [
        "../etc/passwd",
        "/etc/passwd",
        f"picture/../ba/{ABC}.png",
        f"picture/ba/../{ABC}.png",
        f"../picture/ba/{ABC}.png",
        f"picture/bb/{ABC}.png",
        f"picture/ba/{ABC}",
        f"picture/ba/{ABC}.png\n",
        f"picture\\ba\\{ABC}.png",
        "",
    ],
)
def test_no_key_leads_out_of_the_storage(tmp_path, key):
    storage = Storage(str(tmp_path))
    for use in (storage.read_bytes, storage.local_path):
        with pytest.raises(InputError, match="storage key"):
            use(key)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("../up", "png"), ("a/b", "png"), ("", "png"), ("a", "p/g"), ("a", "")]
)
def test_no_kind_or_suffix_leads_out_of_the_storage(storage, kind, suffix):
    with pytest.raises(InputError):
        storage.write_bytes(kind, b"abc", suffix)


def test_a_missing_file_is_named(storage):
    with pytest.raises(NotFoundError, match=ABC):
        storage.read_bytes(f"picture/ba/{ABC}.png")


def test_damaged_content_is_never_handed_out_and_writing_it_again_mends_it(tmp_path):
    storage = Storage(str(tmp_path))
    key = storage.write_bytes("picture", b"abc", "png")
    storage.local_path(key).write_bytes(b"abd")
    with pytest.raises(InputError, match="damaged"):
        storage.read_bytes(key)
    storage.write_bytes("picture", b"abc", "png")
    assert storage.read_bytes(key) == b"abc"


def test_only_a_local_storage_has_local_paths(tmp_path):
    key = f"picture/ba/{ABC}.png"
    assert Storage(str(tmp_path)).local_path(key) == tmp_path / key
    assert Storage(f"file://{tmp_path}").local_path(key) == tmp_path / key
    with pytest.raises(InputError, match="not on a local disk"):
        Storage("memory://elsewhere").local_path(key)


def test_a_file_is_forced_to_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    names_when_forced: list[list[str]] = []
    real_fsync = os.fsync

    def watched(descriptor: int) -> None:
        names_when_forced.append([path.name for path in (tmp_path / "picture" / "ba").iterdir()])
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    Storage(str(tmp_path)).write_bytes("picture", b"abc", "png")
    first, after_rename = names_when_forced[0], names_when_forced[1]
    assert [name.endswith(".part") for name in first] == [True]
    assert after_rename == [f"{ABC}.png"]  # then the folder, so that the name survives too


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceUnavailableError, match="No space left"):
        Storage(str(tmp_path)).write_bytes("picture", b"abc", "png")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_unknown_kind_of_storage_is_a_settings_error():
    with pytest.raises(SettingsError, match="LUNGLOOP_STORAGE_URL"):
        Storage("nonsense://bucket")
