"""Hostile and honest zip archives, each a real file."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from chestct.errors import InputError
from chestct.formats.archives import ArchiveLimits, unpacked


def packed(path: Path, **members: bytes) -> Path:
    """A zip whose members' names are the keywords."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, match: str, limits: ArchiveLimits | None = None) -> None:
    """One sentence that names the archive, and nothing left behind."""
    with pytest.raises(InputError, match=match) as caught, unpacked(path, limits or ArchiveLimits()):
        pass
    assert caught.value.source == str(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go; a test may look whether they are gone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def named(path: Path, name: str, mode: int = 0) -> Path:
    info = zipfile.ZipInfo(name)
    # ZipInfo cleans names itself; a hostile writer does not.
    info.filename = name
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"x")
    return path


def test_what_was_packed_comes_out_in_a_folder_of_the_archives_name_and_goes(tmp_path: Path, scratch: Path):
    path = packed(tmp_path / "case 7.zip", **{"a": b"1", "sub/b": b"22", "__MACOSX/c": b"3"})
    with unpacked(path) as folder:
        assert folder.name == "case 7"
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        assert [file.relative_to(folder).as_posix() for file in files] == ["a", "sub/b"]
        assert (folder / "sub/b").read_bytes() == b"22"
    assert list(scratch.iterdir()) == []


def test_the_folder_goes_when_reading_fails(tmp_path: Path, scratch: Path):
    with pytest.raises(InputError, match="bad slice"), unpacked(packed(tmp_path / "a.zip", a=b"1")):
        raise InputError("a", "bad slice")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "\\evil", "..\\evil", "C:/evil", "c:evil"]
)
def test_names_that_lead_outside_are_refused(tmp_path: Path, scratch: Path, name: str):
    refused(named(tmp_path / "a.zip", name), "leads outside")
    assert not list(tmp_path.rglob("evil"))


def test_a_link_and_a_device_are_refused(tmp_path: Path, scratch: Path):
    refused(named(tmp_path / "a.zip", "evil", stat.S_IFLNK | 0o777), "'evil', which is a link")
    refused(named(tmp_path / "b.zip", "evil", stat.S_IFCHR | 0o777), "no regular file")


def test_control_characters_are_no_part_of_a_name(tmp_path: Path, scratch: Path):
    with unpacked(named(tmp_path / "a.zip", "a\x1b[31m\nb")) as folder:
        assert [file.name for file in folder.iterdir()] == ["a_[31m_b"]


def test_an_archive_inside_is_refused_whatever_its_name(tmp_path: Path, scratch: Path):
    inner = packed(tmp_path / "inner.zip", a=b"1").read_bytes()
    refused(packed(tmp_path / "a.zip", **{"deep/inner.zip": inner}), "'deep/inner.zip', an archive inside")
    refused(packed(tmp_path / "b.zip", **{"slice.dcm": inner}), "'slice.dcm', an archive inside")
    assert list(scratch.iterdir()) == []


def test_a_workbook_is_no_archive_inside(tmp_path: Path, scratch: Path):
    inner = packed(tmp_path / "inner.zip", a=b"1").read_bytes()
    with unpacked(packed(tmp_path / "a.zip", **{"dataset_registry.xlsx": inner})) as folder:
        assert (folder / "dataset_registry.xlsx").read_bytes() == inner


def test_a_bomb_is_refused_by_what_it_claims_before_anything_is_written(tmp_path: Path, scratch: Path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("zeros.nii", "w") as file,
    ):
        for _ in range(150):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    refused(path, r"would unpack \d+ bytes to 157286400 \('zeros.nii' alone")


def test_a_small_archive_of_air_is_no_bomb(tmp_path: Path, scratch: Path):
    with unpacked(packed(tmp_path / "a.zip", mask=bytes(2**20))) as folder:
        assert (folder / "mask").stat().st_size == 2**20


def test_more_than_the_disk_holds_is_refused(tmp_path: Path, scratch: Path):
    refused(packed(tmp_path / "a.zip", a=b"1"), "make room", ArchiveLimits(free_fraction=0.0))


def test_too_many_files_are_refused(tmp_path: Path, scratch: Path):
    refused(packed(tmp_path / "a.zip", a=b"1", b=b"1", c=b"1"), "holds 3 files", ArchiveLimits(files=2))


def test_a_list_too_long_to_be_counted_is_refused_unread(tmp_path: Path, scratch: Path, monkeypatch):
    path = packed(tmp_path / "a.zip", **{f"{number:03d}": b"1" for number in range(100)})
    monkeypatch.setattr("zipfile.ZipFile", None)  # not even opened
    refused(path, "lists more than the 10 files", ArchiveLimits(files=10))


def test_claiming_less_than_comes_out_is_damage(tmp_path: Path, scratch: Path):
    path = packed(tmp_path / "liar.zip", a=bytes(5 * 2**20))
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = raw.find(signature) + offset
        raw[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(raw)
    refused(path, "damaged or unreadable member 'a'")
    assert list(scratch.iterdir()) == []


def test_an_encrypted_member_says_what_to_do(tmp_path: Path, scratch: Path):
    path = packed(tmp_path / "a.zip", a=b"1")
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"PK\x01\x02") + 8] |= 1
    raw[raw.find(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(raw)
    refused(path, "'a' encrypted; unpack it with its password")


def test_one_name_twice_is_refused(tmp_path: Path, scratch: Path):
    refused(packed(tmp_path / "a.zip", a=b"1", A=b"2"), "'A' twice")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(30)])
def test_what_is_no_zip_is_one_sentence(tmp_path: Path, scratch: Path, content: bytes):
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", "no readable zip archive")


def test_a_cut_off_archive_is_one_sentence(tmp_path: Path, scratch: Path):
    path = packed(tmp_path / "a.zip", a=bytes(range(256)) * 100)
    path.write_bytes(path.read_bytes()[:-40])
    refused(path, "no readable zip archive")


def test_an_unknown_compression_is_one_sentence(tmp_path: Path, scratch: Path):
    raw = io.BytesIO(packed(tmp_path / "a.zip", a=bytes(100)).read_bytes()).getvalue()
    changed = bytearray(raw)
    changed[changed.find(b"PK\x01\x02") + 10] = 97
    changed[changed.find(b"PK\x03\x04") + 8] = 97
    (tmp_path / "a.zip").write_bytes(changed)
    refused(tmp_path / "a.zip", "unreadable member 'a'")
