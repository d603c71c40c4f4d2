"""A backend whose model is a real Segmenter around a network of three thresholds."""

import io
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flask.testing import FlaskClient
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.labels import Label
from chestct.model.card import ModelCard
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.label_studio.task_pictures import TaskPictures
from ml_backend.metrics import Counters
from ml_backend.model import Backend
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.predictor import Predictor


class GreyBands(torch.nn.Module):
    """From dark to bright: lung, ground-glass, consolidation, background, by 12 logits each."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        edges = torch.tensor([0.25, 0.5, 0.75])
        bands = torch.bucketize(pictures[:, 0].contiguous(), edges)
        order = (Label.LUNG, Label.GROUND_GLASS, Label.CONSOLIDATION, Label.BACKGROUND)
        logits = torch.zeros((len(pictures), 4, *pictures.shape[-2:]))
        for band, label in enumerate(order):
            logits[:, label] = 12.0 * (bands == band)
        return logits


@pytest.fixture(scope="session")
def segmenter() -> UNetSegmenter:
    return UNetSegmenter(GreyBands(), ModelCard(version="bands", architecture="unet/bands", input_size=64))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    Catalog.open(f"sqlite:///{folder / 'catalog.sqlite3'}", str(folder / "storage")).close()
    return folder / "catalog.sqlite3"


@pytest.fixture
def catalog(tmp_path: Path, migrated: Path) -> Iterator[Catalog]:
    shutil.copy(migrated, tmp_path / "catalog.sqlite3")
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as opened:
        opened.versions.ensure_base("bands")
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        database_url="unused",
        storage_url=str(tmp_path / "storage"),
        weights_dir=tmp_path / "weights",
        scan_max_mib=8,
    )


@pytest.fixture
def backend(settings: Settings, catalog: Catalog, segmenter: UNetSegmenter) -> Backend:
    """No queue and no Label Studio."""
    champion = Champion(catalog, lambda version: segmenter)
    pictures = TaskPictures(catalog, None, None)
    return Backend(settings, catalog, champion, Predictor(catalog), pictures, None, Counters())


@pytest.fixture
def client(settings: Settings, backend: Backend) -> FlaskClient:
    return create_app(settings, backend).test_client()


@pytest.fixture
def finish(client: FlaskClient) -> Callable[..., dict[str, Any]]:
    """Waits for a scan; gives its last state."""

    def wait(address: str, of: FlaskClient = client) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = of.get(f"{address}/state.json").get_json()
            if not state["unfinished"]:
                return state
            time.sleep(0.02)
        raise AssertionError("the scan is not finished within 60 s")

    return wait


@pytest.fixture
def upload(client: FlaskClient, finish: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """Sends files as a form does; gives the address of the finished scan."""

    def send(*files: tuple[str, bytes]) -> str:
        # By hand: werkzeug's test client leaves the temporary file of a large form open.
        parts = [
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n'
            % (name.encode(), content)
            for name, content in files
        ]
        body = b"".join([*parts, b"--b--\r\n"])
        answer = client.post(
            "/scan",
            input_stream=io.BytesIO(body),
            content_type="multipart/form-data; boundary=b",
            content_length=len(body),
        )
        assert answer.status_code == 303, answer.text
        finish(answer.headers["Location"])
        return answer.headers["Location"]

    return send


@pytest.fixture(scope="session")
def banded() -> np.ndarray:
    """(64, 64) bright; two dark lungs side by side, ground-glass in the upper half of one."""
    pixels = np.full((64, 64), 240, np.uint8)
    pixels[16:48, 8:24] = 30
    pixels[16:48, 40:56] = 30
    pixels[16:32, 8:24] = 100
    return pixels


@pytest.fixture(scope="session")
def png(banded: np.ndarray) -> bytes:
    """The same as a file."""
    file = io.BytesIO()
    Image.fromarray(banded).save(file, format="PNG")
    return file.getvalue()
