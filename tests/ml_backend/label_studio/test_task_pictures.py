"""Which slice a task shows, and which addresses are never read."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.task_pictures import TaskPictures


def png(path: Path, value: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 80), value, np.uint8)).save(path)
    return path


def task(address: str, **data: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"image": address, **data}}


@pytest.fixture
def pictures(catalog: Catalog, study: str, tmp_path: Path) -> TaskPictures:
    return TaskPictures(catalog, tmp_path / "root")


def test_study_and_slice_name_the_catalogs_slice(catalog: Catalog, pictures: TaskPictures) -> None:
    found = pictures.find(task("/data/upload/1/a.png", study="case 1", slice=2), "image")
    assert isinstance(found, SliceRecord)
    assert found.index == 2


def test_the_content_key_in_the_address_outweighs_a_wrong_name(
    catalog: Catalog, pictures: TaskPictures
) -> None:
    shown = catalog.slices.all()[1]
    address = f"http://anywhere/data/local-files/?d=storage/{shown.picture_path}"
    for data in ({}, {"study": "case 1", "slice": 0}, {"study": "other", "slice": "1"}):
        found = pictures.find(task(address, **data), "image")
        assert isinstance(found, SliceRecord)
        assert found.id == shown.id


def test_an_unknown_picture_below_the_document_root_is_read(pictures: TaskPictures, tmp_path: Path) -> None:
    png(tmp_path / "root" / "more" / "my picture.png", 9)
    found = pictures.find(task("/data/local-files/?d=more/my%20picture.png"), "image")
    assert isinstance(found, np.ndarray)
    assert (found.shape, int(found.max())) == ((64, 80), 9)


REFUSED = (
    "http://169.254.169.254/latest/meta-data",
    "//evil.test/data/upload/1/a.png",
    "file:///etc/passwd",
    "/etc/passwd",
    "/data/local-files/?d=../secret.png",
    "/data/local-files/?d=%2e%2e/secret.png",
    "/data/local-files/?d=/etc/passwd",
    "/data/local-files/?d=link/secret.png",
    "/data/local-files/?d=" + "a" * 5000,
    "/data/local-files/?d=a%00b",
    "/data/local-files/",
    "/data/upload/../../api/users",
    "/data/upload/%2e%2e/%2e%2e/api/users",
    "/data/upload/1/a.png",
    "/api/projects/1",
    "s3://bucket/a.png",
    "",
)


def test_addresses_outside_label_studios_files_are_refused(pictures: TaskPictures, tmp_path: Path) -> None:
    png(tmp_path / "secret.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    for address in REFUSED:
        with pytest.raises(InputError):
            pictures.find(task(address), "image")


def test_a_task_without_a_picture_is_refused(pictures: TaskPictures) -> None:
    broken: list[dict[str, Any]] = [{}, {"data": None}, {"data": {}}, {"data": {"image": 5}}]
    for one in broken:
        with pytest.raises(InputError):
            pictures.find(one, "image")


def test_uploads_are_fetched_from_the_configured_label_studio_only(
    catalog: Catalog, study: str, tmp_path: Path
) -> None:
    content = png(tmp_path / "a.png", 33).read_bytes()
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=content)

    client = LabelStudio("http://label-studio.test", "key", httpx.MockTransport(answer))
    pictures = TaskPictures(catalog, None, client)
    for address in ("/data/upload/1/a.png", "http://label-studio.test/data/upload/1/a.png"):
        found = pictures.find(task(address), "image")
        assert isinstance(found, np.ndarray)
        assert found.max() == 33
    assert {str(request.url) for request in asked} == {"http://label-studio.test/data/upload/1/a.png"}
    assert asked[0].headers["Authorization"] == "Token key"
    with pytest.raises(InputError, match="outside"):
        pictures.find(task("http://other.test/data/upload/1/a.png"), "image")


def test_a_file_that_is_no_picture_is_named_by_its_address(pictures: TaskPictures, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "notes.txt").write_text("secret")
    with pytest.raises(InputError, match=r"d=notes.txt: is not a readable"):
        pictures.find(task("/data/local-files/?d=notes.txt"), "image")
