"""Checks that need no running stack."""

import os
import platform
import shutil
import sys
import tempfile

from chestct.model.network import build_network
from chestct.model.torchvision_compat import import_smp
from chestct.model.weights import load_version
from chestct.settings import Settings
from lungloop.context import open_catalog, serving_version
from lungloop.diagnosis.finding import Check, FaultError, SkippedError
from lungloop.stack import home_lock, services
from lungloop.stack.ports import is_free
from training.data.snapshot import near_copy_sentence, read_if_kept

_OLDEST_PYTHON = (3, 11)
# A slice takes 0.2 MB as stored, a model version 13 MB, Label Studio's own data little.
_LEAST_FREE_GB = 2.0
_DEFAULT_PORTS = {8080: "Label Studio (--label-studio-port)", 9090: "the backend (--port)"}


def _python(settings: Settings) -> str:
    if sys.version_info < _OLDEST_PYTHON:
        raise FaultError(f"Python {platform.python_version()}", "make up PYTHON=/path/to/python3.11 or newer")
    return f"{platform.python_version()} in {sys.prefix}"


def _torch(settings: Settings) -> str:
    # torchvision beside a CPU torch breaks this import unless our way round it works.
    smp = import_smp()
    import torch  # after the way round, which must come first

    build_network()
    kind = f"CUDA {torch.version.cuda}" if torch.cuda.is_available() else "CPU"
    return f"torch {torch.__version__} ({kind}), segmentation-models-pytorch {smp.__version__}"


def _weights(settings: Settings) -> str:
    version = serving_version(settings)
    card, _ = load_version(settings.weights_dir, version)
    return f"{card.version} in {settings.weights_dir}, {card.architecture}"


def _home(settings: Settings) -> str:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        raise FaultError(
            f"{settings.home} cannot be written: {error.strerror}",
            "give yourself the right to, or set LUNGLOOP_HOME to another folder",
        ) from error
    return f"{settings.home} can be written"


def _disk(settings: Settings) -> str:
    free_gb = shutil.disk_usage(settings.home if settings.home.exists() else "/").free / 1e9
    if free_gb < _LEAST_FREE_GB:
        raise FaultError(
            f"{free_gb:.1f} GB are free on the disk of {settings.home}", "make room, 2 GB at least"
        )
    return f"{free_gb:.0f} GB are free"


def _ports(settings: Settings) -> str:
    if home_lock.holder(settings.home) is not None:
        return "the running stack has its ports"
    taken = [f"{port} for {who}" for port, who in _DEFAULT_PORTS.items() if not is_free(port)]
    if taken:
        raise FaultError(
            f"taken by other programs: {', '.join(taken)}", "stop them or choose others: lungloop up --help"
        )
    return "8080 and 9090 are free"


def _label_studio_environment(settings: Settings) -> str:
    return str(services.label_studio_program())


def _database(settings: Settings) -> str:
    # Opening brings an older schema to the newest and refuses a newer one.
    if not settings.database_url.startswith("sqlite") or _sqlite_file_exists(settings):
        with open_catalog(settings) as catalog:
            return f"at the newest schema, {catalog.counts()['slices']} slices"
    raise SkippedError("there is no catalog yet; `lungloop up` or `import` begins one")


def _test_patients(settings: Settings) -> str:
    """How models are judged here, and what a person should look at before believing it."""
    if settings.database_url.startswith("sqlite") and not _sqlite_file_exists(settings):
        raise SkippedError("there is no catalog yet; `lungloop up` or `import` begins one")
    with open_catalog(settings) as catalog:
        own = catalog.own_test_readings.state()
        ids = [version.snapshot for version in catalog.versions.all() if version.snapshot is not None]
        snapshot = read_if_kept(catalog, ids[-1]) if ids else None
    said = (
        f"{own.patients} of your own, {own.done} of {own.slices} slices read"
        if own.patients
        else "none of your own"
    )
    copies = "" if snapshot is None else near_copy_sentence(snapshot)
    return f"{said}; {copies}" if copies else said


def _sqlite_file_exists(settings: Settings) -> bool:
    return os.path.exists(settings.database_url.removeprefix("sqlite:///"))  # noqa: PTH110 - part of a URL


INSTALLATION_CHECKS: dict[str, Check] = {
    "Python": _python,
    "torch": _torch,
    "model weights": _weights,
    "home": _home,
    "disk": _disk,
    "ports": _ports,
    "Label Studio's environment": _label_studio_environment,
    "database": _database,
    "test patients": _test_patients,
}
