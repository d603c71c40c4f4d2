"""What a browser may send, and what it is told otherwise."""

import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from chestct.catalog.catalog import Catalog
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.model import Backend
from ml_backend.page.scan.incoming import ending_of
from ml_backend.page.scan.record import publish
from ml_backend.page.scan.store import ScanStore
from ml_backend.page.scan.views import MOST_WAITING

FORM = "multipart/form-data"


def files(*named: tuple[str, bytes]) -> dict[str, list[tuple[io.BytesIO, str]]]:
    return {"files": [(io.BytesIO(content), name) for name, content in named]}


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (b"\x89PNG\r\n\x1a\n and so on", ".png"),
        (b"\xff\xd8\xff\xe0 and so on", ".jpg"),
        (b"PK\x03\x04 and so on", ".zip"),
        (b"\0" * 128 + b"DICM", ".dcm"),
        (b"\x5c\x01\0\0" + b"\0" * 344, ".nii"),
        (b"\0\0\x01\x5c" + b"\0" * 344, ".nii"),
        (gzip.compress(b"\x5c\x01\0\0" + b"\0" * 344, mtime=0), ".nii.gz"),
        (gzip.compress(b"a tar, say", mtime=0), None),
        (b"\x1f\x8b", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_a_kind_is_told_by_content(tmp_path: Path, content: bytes, ending: str | None) -> None:
    (tmp_path / "scan.pdf").write_bytes(content)
    assert ending_of(tmp_path / "scan.pdf") == ending


def test_a_file_name_is_shown_and_never_a_path(
    client: FlaskClient, upload: Callable[..., str], settings: Settings, png: bytes
) -> None:
    before = {path for path in settings.home.rglob("*") if "scans" not in path.parts}
    address = upload(("../../../etc/<b>pass\x00wd.pdf", png))
    page = client.get(address)
    assert page.status_code == 200
    assert "&lt;b&gt;passwd.pdf" in page.text
    assert "<b>pass" not in page.text
    assert {path for path in settings.home.rglob("*") if "scans" not in path.parts} == before


def test_bad_files_are_named_beside_the_good_one(
    client: FlaskClient, upload: Callable[..., str], png: bytes
) -> None:
    address = upload(
        ("good.png", png),
        ("letter.txt", b"dear doctor"),
        ("empty.nii.gz", b""),
        ("cut.png", png[:60]),
    )
    page = client.get(address).text
    assert "good.png" in page
    for name, reason in (
        ("letter.txt", "is of an unknown kind"),
        ("empty.nii.gz", "is empty"),
        ("cut.png", "is damaged or cut off"),
    ):
        assert f'<strong>{name}</strong>: <span lang="en">{reason}' in page
    assert "scans/" not in page, "no path of this machine"


def test_an_upload_of_bad_files_only_says_so(client: FlaskClient, upload: Callable[..., str]) -> None:
    page = client.get(upload(("letter.txt", b"dear doctor"))).text
    assert "None of the files could be used" in page
    assert "letter.txt" in page


@pytest.mark.parametrize("is_announced", [True, False])
def test_too_large_is_told_and_leaves_nothing(
    client: FlaskClient, settings: Settings, is_announced: bool
) -> None:
    # By hand: werkzeug's test client leaves the temporary file of a large form open.
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 9 * 2**20
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = client.post(
        "/scan",
        input_stream=io.BytesIO(body),
        content_type=f"{FORM}; boundary=b",
        content_length=len(body),
        environ_overrides={} if is_announced else chunked,
    )
    assert answer.status_code == 413
    assert "exceeds the limit of 8\N{NO-BREAK SPACE}MiB" in answer.text
    assert list((settings.home / "scans").iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        {"data": {}, "content_type": FORM},
        {"data": files(("", b"")), "content_type": FORM},
        {"data": b"hello", "content_type": "text/plain"},
        {"data": b"no boundary", "content_type": FORM},
        {"data": b"--b\r\nbroken", "content_type": f"{FORM}; boundary=b"},
    ],
)
def test_a_form_without_files_is_told(
    client: FlaskClient, settings: Settings, call: dict[str, object]
) -> None:
    answer = client.post("/scan", **call)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text
    assert list((settings.home / "scans").iterdir()) == []


def test_a_file_of_some_megabytes_arrives_whole(client: FlaskClient, upload: Callable[..., str]) -> None:
    # It is read, and found to be no array: had it been cut at some limit, the upload had failed.
    content = b"\x93NUMPY" + np.random.default_rng(0).integers(0, 255, 5 * 2**20, np.uint8).tobytes()
    assert "<strong>a</strong>" in client.get(upload(("a", content))).text


def test_the_script_is_told_in_json(client: FlaskClient, png: bytes, finish: Callable[..., Any]) -> None:
    asks = {"Accept": "application/json"}
    answer = client.post("/scan", data=files(("a.png", png)), content_type=FORM, headers=asks)
    assert answer.status_code == 201
    assert finish(answer.get_json()["url"])["done_studies"] == 1
    refused = client.post("/scan", data={}, content_type=FORM, headers=asks)
    assert (refused.status_code, set(refused.get_json())) == (400, {"error", "detail"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 303),
    ],
)
def test_only_our_own_page_may_send_a_form(
    client: FlaskClient, headers: dict[str, str], status: int, png: bytes
) -> None:
    answer = client.post("/scan", data=files(("a.png", png)), content_type=FORM, headers=headers)
    assert answer.status_code == status


def test_beyond_loopback_the_key_is_needed(settings: Settings, backend: Backend) -> None:
    client = create_app(replace(settings, backend_key="secret"), backend).test_client()
    for path in ("/scan", f"/scan/{'0' * 32}", f"/scan/{'0' * 32}/results.zip"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert client.post("/scan", data=files(("a", b"a")), content_type=FORM).status_code == 401
    assert client.get("/scan", auth=("lungloop", "secret")).status_code == 200


def test_the_line_is_bounded(settings: Settings, backend: Backend, png: bytes) -> None:
    # The application finds an empty folder, so its thread sleeps; then another process leaves scans.
    client = create_app(settings, backend).test_client()
    store = ScanStore(settings.home / "scans", 3600)
    for _ in range(MOST_WAITING):
        scan, folder = store.create()
        publish(folder, scan)
    answer = client.post("/scan", data=files(("a.png", png)), content_type=FORM)
    assert answer.status_code == 503
    assert f"{MOST_WAITING} scans are waiting already" in answer.text


def test_nothing_reaches_the_catalog(upload: Callable[..., str], catalog: Catalog, png: bytes) -> None:
    before = catalog.counts()
    upload(("a.png", png))
    assert catalog.counts() == before
    assert catalog.studies.all() == []


def test_every_answer_is_sealed(client: FlaskClient, upload: Callable[..., str], png: bytes) -> None:
    address = upload(("a.png", png))
    for path in ("/scan", address, f"{address}/state.json", f"{address}/1/pixels/0", "/scan/nothing"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy, path
