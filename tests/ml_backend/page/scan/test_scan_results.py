"""What comes back: label maps as `lungloop segment` writes them, shares, reports, an archive."""

import gzip
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import nibabel
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from chestct.formats.nifti import write_volume_nifti
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity, as_picture
from chestct.labels import Label
from chestct.phantoms import Phantom, phantom_study
from chestct.prediction import SlicePrediction
from chestct.render.overlay import overlay, png_bytes
from chestct.render.uncertainty import uncertainty_picture
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.model import Backend


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return phantom_study(3, shape=(4, 64, 64))


@pytest.fixture(scope="session")
def volume(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("volume") / "ct.nii.gz"
    write_volume_nifti(path, np.stack(phantom.study.slices), phantom.geometry)
    return path.read_bytes()


def label_maps(segmenter: UNetSegmenter, phantom: Phantom) -> np.ndarray:
    said = segmenter.segment_study(phantom.study.slices, Intensity.HU)
    return np.stack([one.label_map for one in said])


def raw(client: FlaskClient, path: str, dtype: str) -> np.ndarray:
    answer = client.get(path)
    assert answer.headers["Content-Encoding"] == "gzip"
    return np.frombuffer(gzip.decompress(answer.data), dtype)


def test_a_volume_gives_the_label_map_that_segment_gives_with_its_own_geometry(
    client: FlaskClient, upload: Callable[..., str], segmenter: UNetSegmenter, phantom: Phantom, volume: bytes
) -> None:
    answer = client.get(upload(("ct 1.nii.gz", volume)) + "/1/label.nii.gz")
    assert "filename=ct_1.label.nii.gz" in answer.headers["Content-Disposition"]
    found = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.data))
    np.testing.assert_array_equal(found.affine, phantom.geometry.affine)
    view = phantom.geometry.to_view(np.asarray(found.dataobj))
    np.testing.assert_array_equal(view, label_maps(segmenter, phantom))
    assert found.get_data_dtype() == np.uint8


def test_the_viewer_gets_the_very_pixels_and_labels(
    client: FlaskClient, upload: Callable[..., str], segmenter: UNetSegmenter, phantom: Phantom, volume: bytes
) -> None:
    address = upload(("ct.nii.gz", volume))
    expected = label_maps(segmenter, phantom)
    for index, pixels in enumerate(phantom.study.slices):
        np.testing.assert_array_equal(
            raw(client, f"{address}/1/pixels/{index}", "<i2").reshape(64, 64), pixels
        )
        np.testing.assert_array_equal(
            raw(client, f"{address}/1/labels/{index}", "u1").reshape(64, 64), expected[index]
        )
    assert client.get(f"{address}/1/pixels/4").status_code == 404
    assert client.get(f"{address}/2/pixels/0").status_code == 404


def test_the_viewer_gets_the_uncertainty_of_each_slice_and_a_picture_of_it_to_take_home(
    client: FlaskClient, upload: Callable[..., str], segmenter: UNetSegmenter, banded: np.ndarray
) -> None:
    # Not the network's size, so that edges are blurred and uncertain.
    slices = [np.pad(banded, margin) for margin in (20, 24)]
    address = upload(*((f"a/{k}.png", png_bytes(pixels)) for k, pixels in enumerate(slices)))
    for number, pixels in enumerate(slices, start=1):
        uncertainty = segmenter.segment(pixels, Intensity.PICTURE).uncertainty
        assert uncertainty is not None and uncertainty.max() > 100
        found = raw(client, f"{address}/{number}/doubt/0", "u1")
        np.testing.assert_array_equal(found.reshape(uncertainty.shape), uncertainty)
        answer = client.get(f"{address}/{number}/doubt/0.png")
        assert f"filename={number - 1}.doubt.png" in answer.headers["Content-Disposition"]
        shown = np.asarray(Image.open(io.BytesIO(answer.data)))
        np.testing.assert_array_equal(shown, uncertainty_picture(pixels, uncertainty))
        for missing in ("doubt/1.png", "doubt/1"):
            assert client.get(f"{address}/{number}/{missing}").status_code == 404
    page = client.get(address).text
    assert 'name="style" value="doubt"' in page
    assert 'id="save-doubt"' in page


class Silent:
    """A model that gives no probabilities, so no uncertainty."""

    version = "silent"
    involvement_calibration = None

    def each_of_study(self, slices, intensity, *, slices_apart_mm=None):
        for pixels in slices:
            yield SlicePrediction(np.full(pixels.shape, Label.LUNG, np.uint8), 0.5, 0.1)


def test_a_model_that_tells_no_uncertainty_leaves_no_switch_for_it(
    settings: Settings, backend: Backend, png: bytes, finish: Callable[..., Any]
) -> None:
    client = held_client(settings, backend, Silent())
    sent = {"files": [(io.BytesIO(png), "a.png")]}
    address = client.post("/scan", data=sent, content_type="multipart/form-data").headers["Location"]
    assert finish(address, client)["done_studies"] == 1
    page = client.get(address).text
    assert 'value="mask"' in page
    assert 'value="doubt"' not in page and "save-doubt" not in page
    assert client.get(f"{address}/1/doubt/0.png").status_code == 404
    with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/results.zip").data)) as archive:
        assert "a.overlay.png" in archive.namelist() and "a.doubt.png" not in archive.namelist()


def test_a_study_gets_a_grade_and_an_image_only_shares(
    client: FlaskClient, upload: Callable[..., str], volume: bytes, png: bytes
) -> None:
    address = upload(("ct.nii.gz", volume), ("slice.png", png))
    study, image = client.get(address).text, client.get(f"{address}?study=2").text
    assert '<strong class="grade">CT-' in study
    assert "the worse lung decides" in study
    assert "bands" in study
    assert 'class="grade">CT' not in image
    assert "A single slice has a share of its lung, never a grade" in image
    for nobodys in ("0", "3", "-1", "x"):
        assert "<h1>ct.nii.gz</h1>" in client.get(f"{address}?study={nobodys}").text


def test_an_archive_becomes_a_list_with_its_failures(
    client: FlaskClient, upload: Callable[..., str], volume: bytes, png: bytes, banded: np.ndarray
) -> None:
    file, larger = io.BytesIO(), png_bytes(np.pad(banded, 8))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("case 1/ct.nii.gz", volume)
        archive.writestr("case 2/000.png", png)
        archive.writestr("case 2/001.png", larger)
        archive.writestr("case 2/002.png", b"\x89PNG\r\n\x1a\n broken")
    address = upload(("cases.zip", file.getvalue()))
    page = client.get(address).text
    assert "cases.zip: case 1/ct.nii.gz" in page
    assert "cases.zip: case 2</a>" in page
    assert "<strong>cases.zip: case 2/002.png</strong>" in page
    assert "lungloop-" not in page and "/tmp" not in page
    second = client.get(f"{address}?study=2").text
    assert "different sizes" in second
    assert "Pictures without a place in the patient" in second


def test_the_zip_holds_label_maps_overlays_in_the_chosen_colours_and_reports(
    client: FlaskClient,
    upload: Callable[..., str],
    segmenter: UNetSegmenter,
    phantom: Phantom,
    volume: bytes,
    png: bytes,
    banded: np.ndarray,
) -> None:
    address = upload(("ct.nii.gz", volume), ("a/slice.png", png))
    query = "?show=1,3&colours=00ff00,ff0000,0000ff&opacity=50"
    answer = client.get(f"{address}/results.zip{query}")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = set(archive.namelist())
        assert names == {
            "README.txt",
            "report.json",
            "ct.label.nii.gz",
            *(f"ct/{index:04d}.{what}.png" for index in range(4) for what in ("overlay", "doubt")),
            "ct.report.txt",
            "slice.label.png",
            "slice.overlay.png",
            "slice.doubt.png",
            "slice.report.txt",
        }
        label_map = np.asarray(Image.open(archive.open("slice.label.png")))
        np.testing.assert_array_equal(label_map, segmenter.segment(banded, Intensity.PICTURE).label_map)
        shown = np.asarray(Image.open(archive.open("ct/0002.overlay.png")))
        colours = {Label.GROUND_GLASS: (0, 255, 0), Label.LUNG: (0, 0, 255)}
        grey = as_picture(phantom.study.slices[2], Intensity.HU)
        expected = overlay(grey, label_maps(segmenter, phantom)[2], colours, 0.5)
        np.testing.assert_array_equal(shown, expected)
        colored = uncertainty_picture(banded, segmenter.segment(banded, Intensity.PICTURE).uncertainty)
        np.testing.assert_array_equal(np.asarray(Image.open(archive.open("slice.doubt.png"))), colored)
        report = json.loads(archive.read("report.json"))
        assert [one["kind"] for one in report] == ["study", "image"]
        assert report[0]["severity"]["grade"].startswith("CT-")
        assert report[1]["severity"] is None


def test_a_text_report_and_a_page_report_tell_in_both_languages(
    client: FlaskClient, upload: Callable[..., str], volume: bytes, png: bytes
) -> None:
    address = upload(("ct.nii.gz", volume))
    english = client.get(f"{address}/1/report.html?lang=en")
    assert "not a medical device" in english.text
    assert "data:image/png;base64," in english.text
    assert 'src="/' not in english.text and "href=" not in english.text, "one file, nothing beside it"
    russian = client.get(f"{address}/1/report.html?lang=ru")
    for expected in ("Матовое стекло", "Консолидация", "Доля поражения", "КТ-"):
        assert expected in russian.text
    with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/results.zip?lang=ru").data)) as archive:
        report = archive.read("ct.report.txt").decode()
    assert "Матовое стекло" in report
    assert "Степень: КТ-" in report


def test_delete_now_deletes_now(
    client: FlaskClient, upload: Callable[..., str], settings: Settings, png: bytes
) -> None:
    address = upload(("a.png", png))
    answer = client.post(f"{address}/delete", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    answer = client.post(f"{address}/delete", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303
    assert "were deleted" in client.get(answer.headers["Location"]).text
    assert list((settings.home / "scans").iterdir()) == []
    for path in ("", "/state.json", "/1/pixels/0", "/1/report.html", "/results.zip"):
        gone = client.get(address + path)
        assert gone.status_code == 404
        assert "deleted" in gone.text


class Held:
    """A segmenter that stops at its second slice until it is let go."""

    version = "held"
    involvement_calibration = None

    def __init__(self, inner: UNetSegmenter) -> None:
        self.inner = inner
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.calls = 0

    def each_of_study(self, slices, intensity, *, slices_apart_mm=None):
        for found in self.inner.each_of_study(slices, intensity, slices_apart_mm=slices_apart_mm):
            self.calls += 1
            if self.calls == 2:
                self.begun.set()
                assert self.go_on.wait(20)
            yield found


def held_client(settings: Settings, backend: Backend, held: Held | Silent) -> FlaskClient:
    backend.champion._load = lambda version: held  # the champion has loaded nothing yet
    backend.champion._loaded = {}
    return create_app(settings, backend).test_client()


def test_progress_is_told_slice_by_slice_and_a_second_upload_waits_its_turn(
    settings: Settings, backend: Backend, segmenter: UNetSegmenter, volume: bytes, finish: Callable[..., Any]
) -> None:
    held = Held(segmenter)
    client = held_client(settings, backend, held)

    def send() -> str:
        sent = {"files": [(io.BytesIO(volume), "ct.nii.gz")]}
        return client.post("/scan", data=sent, content_type="multipart/form-data").headers["Location"]

    first = send()
    assert held.begun.wait(20)
    second = send()
    state = client.get(f"{first}/state.json").get_json()
    assert (state["slices_done"], state["slices_total"]) == (1, 4)
    assert state["sentence"] == "Slice 1 of 4"
    assert "Slice 1 of 4" in client.get(first).text
    assert client.get(f"{second}/state.json").get_json()["sentence"] == "Waiting; scans before yours: 1"
    assert client.get(f"{first}/1/pixels/0").status_code == 404, "nothing half-done is given out"
    held.go_on.set()
    assert finish(first, client)["done_studies"] == 1
    assert finish(second, client)["done_studies"] == 1


def test_a_scan_that_is_deleted_while_it_is_worked_on_stops_quietly(
    settings: Settings,
    backend: Backend,
    segmenter: UNetSegmenter,
    volume: bytes,
    caplog: pytest.LogCaptureFixture,
    png: bytes,
    finish: Callable[..., Any],
) -> None:
    held = Held(segmenter)
    client = held_client(settings, backend, held)
    sent = {"files": [(io.BytesIO(volume), "ct.nii.gz")]}
    address = client.post("/scan", data=sent, content_type="multipart/form-data").headers["Location"]
    assert held.begun.wait(20)
    client.post(f"{address}/delete")
    held.go_on.set()
    sent = {"files": [(io.BytesIO(png), "a.png")]}
    after = client.post("/scan", data=sent, content_type="multipart/form-data").headers["Location"]
    assert finish(after, client)["done_studies"] == 1
    assert [path.name for path in (settings.home / "scans").iterdir()] == [after.rsplit("/", 1)[1]]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_work_that_a_process_left_is_done_by_the_next(
    settings: Settings,
    backend: Backend,
    upload: Callable[..., str],
    client: FlaskClient,
    volume: bytes,
    finish: Callable[..., Any],
) -> None:
    address = upload(("ct.nii.gz", volume))
    folder = settings.home / "scans" / address.rsplit("/", 1)[1]
    record = json.loads((folder / "scan.json").read_text())
    (folder / "scan.json").write_text(json.dumps({**record, "phase": "segmenting", "done_studies": 0}))
    shutil.rmtree(folder / "studies" / "0001" / "labels")
    (folder / "studies" / "0001" / "labels").mkdir()
    (folder / "studies" / "0001" / "findings.json").unlink()
    again = create_app(settings, backend).test_client()
    assert finish(address, again)["done_studies"] == 1
    assert again.get(f"{address}/1/label.nii.gz").status_code == 200


def test_without_a_champion_the_scan_says_what_to_do(
    settings: Settings,
    backend: Backend,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    png: bytes,
    finish: Callable[..., Any],
) -> None:
    monkeypatch.setattr(type(backend.catalog.versions), "release", lambda self: None)
    sent = {"files": [(io.BytesIO(png), "a.png")]}
    address = client.post("/scan", data=sent, content_type="multipart/form-data").headers["Location"]
    assert finish(address, client)["phase"] == "failed"
    assert "there is no champion yet" in client.get(address).text


def test_the_slices_of_a_dicom_series_sent_one_by_one_are_one_study(
    client: FlaskClient, upload: Callable[..., str]
) -> None:
    shared = Settings.load().shared_data
    if shared is None or not (shared / "dicom-two-slices").is_dir():
        pytest.skip("the shared research data is absent (LUNGLOOP_SHARED_DATA)")
    files = sorted((shared / "dicom-two-slices").glob("*.dcm"))
    address = upload(*((path.name, path.read_bytes()) for path in reversed(files)))
    page = client.get(address).text
    assert f"{files[-1].name} (+1)" in page
    assert "taken as CT" in page, "what the reader of DICOM assumed is told"
    assert client.get(f"{address}/1/pixels/1").status_code == 200
    assert client.get(f"{address}/1/label.nii.gz").status_code == 200
