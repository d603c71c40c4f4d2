"""Somebody drops a scan on the page, looks through it, and takes the results home."""

import base64
import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Download, Page, sync_playwright
from reader import CHROMIUM
from running_stack import CHECKOUT, copy_weights, missing
from scan_server import ScanServer, serving

from chestct.formats.nifti import read_label_map_nifti, read_nifti
from chestct.intensity import Intensity, as_picture, windowed
from chestct.labels import COLOURS_RGB, LESIONS, Label
from chestct.phantoms import write_phantoms
from chestct.render.overlay import overlay
from chestct.settings import Settings

pytestmark = pytest.mark.end_to_end
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_SLICES = 8
# Long enough that the page, however late it comes up on a busy machine, sees some of the work.
_SLICES_TO_WATCH = 72
_GREEN = (0, 200, 80)
# The browser rounds half up, NumPy half to even.
_ROUNDING = 1
_MEDIASTINUM_HU = (-160.0, 240.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScanServer]:
    root = tmp_path_factory.mktemp("scan-page")
    copy_weights(CHECKOUT / "weights", root / "weights")
    with serving(root / "home", root / "weights") as running:
        yield running


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 1, seed=7, shape=(_SLICES, 256, 256))[0]


@contextmanager
def browsing(
    server: ScanServer, *, width: int = 1440, height: int = 900, language: str = "en"
) -> Iterator[Page]:
    """A page of a fresh browser; script errors and requests to elsewhere are failures."""
    if CHROMIUM is None:
        missing("Chromium")
    trouble: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height}, locale=language)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, "blob:", "data:"))
                else trouble.append(request.url)
            ),
        )
        yield page
        browser.close()
    assert trouble == []


def sent(page: Page, server: ScanServer, *files: Path) -> list[str]:
    """Sends files as a person would and waits for the viewer; gives the sentences shown meanwhile."""
    page.goto(f"{server.url}/scan")
    page.set_input_files("#files", [str(file) for file in files])
    page.wait_for_url(re.compile(r"/scan/[0-9a-f]{32}"))
    said: list[str] = []
    for _ in range(1200):
        if page.locator("#viewer").count():
            break
        line = page.locator("#progress-line")
        if line.count():
            # The page reloads itself as soon as the study is ready.
            said.append(page.evaluate("() => document.querySelector('#progress-line')?.textContent || ''"))
        page.wait_for_timeout(100)
    page.wait_for_selector("#viewer[data-shown]")
    return said


def shown_index(page: Page) -> int:
    return int(page.get_attribute("#viewer", "data-shown") or -1)


def wait_for_index(page: Page, index: int) -> None:
    page.wait_for_selector(f'#viewer[data-shown="{index}"]')


def canvas(page: Page) -> np.ndarray:
    """(H, W, 3) pixels that the viewer has drawn, at the slice's own size."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    encoded = page.evaluate("() => document.querySelector('#slice').toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))


def downloaded(page: Page, selector: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(selector)
    download: Download = waiting.value
    return Path(download.path()).read_bytes()


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= _ROUNDING


def test_a_study_is_uploaded_looked_through_and_its_results_are_those_of_segment(
    server: ScanServer, phantom: Path, tmp_path: Path
) -> None:
    server.segment(phantom, out=tmp_path / "out")
    expected_file = tmp_path / "out" / f"{phantom.name.removesuffix('.nii.gz')}.label.nii.gz"
    labels, _ = read_label_map_nifti(expected_file)
    study = read_nifti(phantom)
    with browsing(server) as page:
        sent(page, server, phantom)
        assert page.locator(".grade").inner_text().startswith("CT-")

        # The slice with most lesion comes first.
        first = shown_index(page)
        assert first == int(np.isin(labels, LESIONS).sum(axis=(1, 2)).argmax())
        assert_same(canvas(page), overlay(as_picture(study.slices[first], Intensity.HU), labels[first]))

        # Keys, wheel and slider lead to the slices that they name.
        page.focus("#frame")
        page.keyboard.press("Home")
        wait_for_index(page, 0)
        page.keyboard.press("ArrowDown")
        wait_for_index(page, 1)
        page.keyboard.press("End")
        wait_for_index(page, _SLICES - 1)
        page.hover("#frame")
        page.mouse.wheel(0, -80)
        wait_for_index(page, _SLICES - 3)
        page.fill("#position", str(first + 1))
        wait_for_index(page, first)

        # A class off, a colour changed, an opacity: the picture follows, and so does its download.
        page.uncheck('input[name="show-3"]')
        page.fill('input[name="colour-1"]', "#{:02x}{:02x}{:02x}".format(*_GREEN))
        page.fill('input[name="opacity"]', "60")
        colours = {Label.GROUND_GLASS: _GREEN, Label.CONSOLIDATION: COLOURS_RGB[Label.CONSOLIDATION]}
        chosen = overlay(as_picture(study.slices[first], Intensity.HU), labels[first], colours, 0.6)
        assert_same(canvas(page), chosen)
        png = np.asarray(Image.open(io.BytesIO(downloaded(page, "#save-png"))).convert("RGB"))
        assert_same(png, chosen)

        # The model's doubt over the slice, without classes, is the picture that can be taken home.
        page.locator('label:has(input[value="doubt"])').click()
        uncertainty = np.asarray(Image.open(io.BytesIO(downloaded(page, "#save-doubt"))))
        assert len(np.unique(uncertainty.reshape(-1, 3), axis=0)) > 100
        # Two roundings of an enlarged map, each worth a step or two of colour.
        assert np.abs(canvas(page).astype(int) - uncertainty.astype(int)).max() <= 3 * _ROUNDING
        page.focus("#frame")
        page.keyboard.press("d")
        assert_same(canvas(page), chosen)

        # Another window, worked out in the browser.
        page.locator('label:has(input[value="mediastinum"])').click()
        grey = np.rint(255 * windowed(study.slices[first], _MEDIASTINUM_HU)).astype(np.uint8)
        assert_same(canvas(page), overlay(grey, labels[first], colours, 0.6))

        # Mask only: the chosen colours on black.
        page.locator('label:has(input[value="mask"])').click()
        mask = canvas(page)
        assert (mask[labels[first] == Label.GROUND_GLASS] == _GREEN).all()
        assert (mask[labels[first] == Label.BACKGROUND] == 0).all()
        assert (mask[labels[first] == Label.LUNG] == 0).all(), "the lung was switched off"

        # What is taken home is what `lungloop segment` writes, to the byte.
        assert downloaded(page, 'a[href$="label.nii.gz"]') == expected_file.read_bytes()
        with zipfile.ZipFile(io.BytesIO(downloaded(page, "#save-zip"))) as archive:
            inside = next(name for name in archive.namelist() if name.endswith(".label.nii.gz"))
            assert archive.read(inside) == expected_file.read_bytes()
            picture = next(name for name in archive.namelist() if f"{first:04d}.overlay" in name)
            np.testing.assert_array_equal(np.asarray(Image.open(archive.open(picture))), chosen)
            report = json.loads(archive.read("report.json"))[0]
        by_segment = json.loads((tmp_path / "out" / "report.json").read_text())[0]
        assert report["percent"] == by_segment["percent"]
        assert report["severity"] == by_segment["severity"]

        # Deleted at once, and nothing is left.
        page.on("dialog", lambda dialog: dialog.accept())
        page.click(".keeping button")
        page.wait_for_url(re.compile("deleted=1"))
    assert list((server.home / "scans").iterdir()) == []


def test_the_page_fits_a_phone_and_a_desk_is_reached_by_keys_and_does_not_jump(
    server: ScanServer, phantom: Path
) -> None:
    watch = (
        "window.shifted = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
        "window.shifted += one.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    for width, height in ((390, 844), (1440, 900)):
        with browsing(server, width=width, height=height, language="ru") as page:
            page.add_init_script(watch)
            sent(page, server, phantom)
            page.wait_for_timeout(500)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            assert page.evaluate("() => window.shifted") < 0.1
            assert page.locator(".grade").inner_text().startswith("КТ-")
            assert "Матовое стекло" in page.inner_text("#slice-shares")
            reached = set()
            for _ in range(60):
                page.keyboard.press("Tab")
                reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.name"))
            wanted = {"frame", "position", "show-1", "colour-1", "style", "opacity", "window", "save-png"}
            assert wanted <= reached, wanted - reached


def test_bad_files_are_named_beside_the_good_ones(server: ScanServer, phantom: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear doctor")
    with browsing(server) as page:
        sent(page, server, tmp_path / "letter.txt", phantom)
        assert "letter.txt" in page.inner_text(".failures summary")
        page.click(".failures summary")
        assert "unknown kind" in page.inner_text(".failures li")


def test_real_slices_give_the_pixels_of_segment(server: ScanServer, tmp_path: Path) -> None:
    shared = Settings.load().shared_data
    if shared is None or not (shared / "covid-ct-seg").is_dir():
        pytest.skip("the shared research data is absent (LUNGLOOP_SHARED_DATA)")
    with (shared / "covid-ct-seg" / "slices.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev-validation"]
    inside = [row for row in rows if int(row["lung_px"]) > 4000]
    row = inside[len(inside) // 2]
    picture = shared / "covid-ct-seg" / row["volume"] / "ct" / f"{int(row['slice']):03d}.png"
    server.segment(picture, out=tmp_path / "out")
    expected = np.asarray(Image.open(tmp_path / "out" / f"{picture.stem}.label.png"))
    with browsing(server) as page:
        sent(page, server, picture)
        found = np.asarray(Image.open(io.BytesIO(downloaded(page, "#save-label"))))
        np.testing.assert_array_equal(found, expected)
        assert_same(canvas(page), overlay(np.asarray(Image.open(picture).convert("L")), expected))
        assert "never a grade" in page.inner_text(".grade-card")


def test_the_page_tells_how_far_a_long_study_is(server: ScanServer, tmp_path: Path) -> None:
    (long,) = write_phantoms(tmp_path, 1, seed=9, shape=(_SLICES_TO_WATCH, 256, 256))
    with browsing(server) as page:
        said = sent(page, server, long)
        assert any(re.match(rf"Slice \d+ of {_SLICES_TO_WATCH}", one) for one in said), said
