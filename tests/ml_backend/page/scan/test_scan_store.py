"""A scan's folder is private, found by its id alone, and gone when its time is over."""

import dataclasses
import os
import stat
from pathlib import Path

import pytest

from chestct.errors import NotFoundError
from ml_backend.page.scan.record import Failure, Phase, Scan, Upload, publish, read_scan
from ml_backend.page.scan.store import ScanStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> ScanStore:
    return ScanStore(tmp_path / "scans", 60.0, clock)


def kept(store: ScanStore) -> tuple[Scan, Path]:
    scan, folder = store.create()
    return publish(folder, scan), folder


def test_only_the_owner_may_enter(store: ScanStore) -> None:
    _, folder = kept(store)
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_ids_are_long_and_differ(store: ScanStore) -> None:
    ids = {kept(store)[0].id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(one) == 32 for one in ids)


def test_a_scan_is_gone_at_its_time_even_before_it_is_swept(store: ScanStore, clock: Clock) -> None:
    scan, folder = kept(store)
    clock.now = 1059.9
    assert store.find(scan.id)[1] == folder
    clock.now = 1060.0
    with pytest.raises(NotFoundError):
        store.find(scan.id)
    assert folder.exists()
    store.sweep()
    assert store.is_empty()


@pytest.mark.parametrize("asked", ["", ".", "..", "../scans", "x" * 32, "A" * 32, "0" * 31, "0" * 32])
def test_an_id_that_is_none_never_becomes_a_path(store: ScanStore, asked: str) -> None:
    kept(store)
    with pytest.raises(NotFoundError):
        store.find(asked)


def test_an_upload_that_broke_off_is_swept_by_its_age(store: ScanStore, clock: Clock) -> None:
    _, folder = store.create()
    os.utime(folder, (1000.0, 1000.0))
    clock.now = 1059.0
    store.sweep()
    assert folder.exists()
    clock.now = 1061.0
    store.sweep()
    assert not folder.exists()


def test_the_oldest_unfinished_scan_is_next_and_taken_once(store: ScanStore, clock: Clock) -> None:
    first, folder = kept(store)
    clock.now = 1001.0
    second, _ = kept(store)
    assert (store.ahead_of(first), store.ahead_of(second)) == (0, 1)
    # Two stores on one root stand for two processes.
    other = ScanStore(store.root, 60.0, clock)
    with store.taken() as mine, other.taken() as theirs:
        assert mine is not None and mine[0].id == first.id
        assert theirs is not None and theirs[0].id == second.id
        with other.taken() as nothing:
            assert nothing is None
    publish(folder, dataclasses.replace(first, phase=Phase.DONE))
    with store.taken() as mine:
        assert mine is not None and mine[0].id == second.id


def test_a_deleted_scan_leaves_nothing(store: ScanStore) -> None:
    scan, folder = kept(store)
    (folder / "upload").mkdir()
    (folder / "upload" / "00001.png").write_bytes(b"x")
    store.delete(folder)
    assert list(store.root.iterdir()) == []
    store.delete(folder)
    with pytest.raises(FileNotFoundError):
        publish(folder, scan)


def test_a_record_comes_back_as_it_was_written(store: ScanStore) -> None:
    scan, folder = store.create()
    full = dataclasses.replace(
        scan,
        phase=Phase.SEGMENTING,
        uploads=(Upload("снимок.png", "upload/00001.png"),),
        failures=(Failure("x", "is empty"),),
        seconds_left=1.5,
    )
    publish(folder, full)
    assert read_scan(folder) == full


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"id": 1}', "null"])
def test_a_damaged_record_counts_as_none(store: ScanStore, damaged: str) -> None:
    scan, folder = kept(store)
    (folder / "scan.json").write_text(damaged)
    with pytest.raises(NotFoundError):
        store.find(scan.id)
    assert store.unfinished() == []
