"""docker-compose.yml against the Compose specification and against the names that the code uses.

`compose_spec.json` is the specification's schema as docker-compose 1.29.2 ships it (Apache-2.0). No container
is started here: what images do at run time is not covered.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from chestct.settings import Settings
from lungloop.cli import app
from lungloop.stack import services
from lungloop.stack.credentials import Credentials
from lungloop.stack.label_studio import pictures_folder
from ml_backend.auth import is_loopback

CHECKOUT = Path(__file__).resolve().parents[2]
# Only the file itself uses these; everything else that begins with LUNGLOOP_ must be a setting.
ONLY_IN_THE_FILE = {"PASSWORD", "TOKEN", "USER", "BIND", "PUBLIC_URL"}

Compose = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Compose:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def product(compose: Compose) -> Compose:
    """What every container of ours shares."""
    return compose["x-product"]


@pytest.fixture(scope="module")
def settings(product: Compose) -> Settings:
    """The settings as a container of ours would load them."""
    return Settings.load({name: _filled_in(value) for name, value in product["environment"].items()})


def _filled_in(text: str) -> str:
    """Compose's own substitution, with `secret` for what .env supplies."""
    return re.sub(
        r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}",
        lambda found: "secret" if found[1] is None else found[1],
        str(text),
    )


def test_the_file_follows_the_compose_specification(compose: Compose) -> None:
    schema = json.loads(Path(__file__).with_name("compose_spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)


def test_every_variable_of_ours_is_a_setting(product: Compose) -> None:
    fields = {f"LUNGLOOP_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(product["environment"]) <= fields


def test_every_substituted_variable_is_explained_or_has_a_default(compose: Compose) -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{LUNGLOOP_(\w+)", text))
    settings = {name.upper() for name in Settings.__dataclass_fields__}
    assert used - settings <= ONLY_IN_THE_FILE
    explained = set(re.findall(r"LUNGLOOP_(\w+)=%s", text))
    with_default = set(re.findall(r"\$\{LUNGLOOP_(\w+):-", text))
    assert used <= explained | with_default


def test_commands_are_commands_of_ours_with_options_that_they_have(compose: Compose) -> None:
    ours = {
        name: one
        for name, one in compose["services"].items()
        if one.get("build", {}).get("target") == "product"
    }
    assert set(ours) == {"project", "backend", "connect", "worker-quick", "worker-train", "lungloop"}
    for name, one in ours.items():
        command, *arguments = one["command"]
        page = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert "Usage:" in page, name
        for argument in arguments:
            if argument.startswith("--"):
                assert argument in page, (name, argument)


def test_every_kind_of_job_has_a_worker(compose: Compose) -> None:
    served = {
        one["command"][2] for one in compose["services"].values() if one.get("command", [""])[0] == "worker"
    }
    assert served == {"quick", "train"}


def test_addresses_name_services_at_the_ports_that_they_listen_on(
    compose: Compose, settings: Settings
) -> None:
    listening = {"database": 5432, "queue": 6379}
    dockerfile = (CHECKOUT / "Dockerfile").read_text()
    label_studio_command = json.loads(re.search(r'CMD (\["label-studio".*\])', dockerfile)[1])  # type: ignore[index]
    listening["label-studio"] = int(label_studio_command[label_studio_command.index("--port") + 1])
    backend_command = compose["services"]["backend"]["command"]
    listening["backend"] = int(backend_command[backend_command.index("--port") + 1])
    addresses = (
        settings.database_url,
        settings.redis_url,
        settings.label_studio_url,
        settings.backend_url,
    )
    found = {re.search(r"(?:@|//)([a-z-]+):(\d+)", str(address)).groups() for address in addresses}  # type: ignore[union-attr]
    assert found == {(name, str(port)) for name, port in listening.items()}
    for name in ("label-studio", "backend"):
        assert compose["services"][name]["ports"] == [
            f"${{LUNGLOOP_BIND:-127.0.0.1}}:{listening[name]}:{listening[name]}"
        ]


def test_a_backend_that_other_machines_reach_has_a_key(compose: Compose, settings: Settings) -> None:
    command = compose["services"]["backend"]["command"]
    assert not is_loopback(command[command.index("--host") + 1])
    assert settings.backend_key


def test_label_studio_is_told_what_the_local_stack_tells_it(compose: Compose, settings: Settings) -> None:
    login = Credentials("u", "p", "t", "q")
    local = services.label_studio_service(
        Settings.load({"LUNGLOOP_HOME": "/tmp/none"}), 8080, login, Path("/ls")
    ).environment
    here = compose["services"]["label-studio"]["environment"]
    names = {name for name in local if name.startswith("LABEL_STUDIO_")}
    assert names == {name for name in here if name.startswith("LABEL_STUDIO_")}
    differing = {name for name in names if str(here[name]) != local[name]}
    assert differing == {
        f"LABEL_STUDIO_{name}"
        for name in (
            "BASE_DATA_DIR",
            "USERNAME",
            "PASSWORD",
            "USER_TOKEN",
            "HOST",
            "LOCAL_FILES_DOCUMENT_ROOT",
            "USER_ADDITIONAL_BANNED_SUBNETS",
        )
    }
    assert here["LABEL_STUDIO_USER_TOKEN"] == "${LUNGLOOP_TOKEN}"


def test_label_studio_sees_the_pictures_where_we_write_them(compose: Compose, settings: Settings) -> None:
    here = compose["services"]["label-studio"]
    assert here["environment"]["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == settings.label_studio_files_root
    assert f"storage:{settings.storage_url}:ro" in here["volumes"]
    assert f"storage:{settings.storage_url}" in compose["x-product"]["volumes"]
    assert str(pictures_folder(settings)).startswith(settings.storage_url)


def test_volumes_cover_every_folder_of_the_settings(
    compose: Compose, product: Compose, settings: Settings
) -> None:
    mounted = {volume.split(":")[1] for volume in product["volumes"]}
    assert mounted == {str(settings.home), settings.storage_url, str(settings.weights_dir)}
    dockerfile = (CHECKOUT / "Dockerfile").read_text()
    for folder in mounted:
        assert re.search(rf"mkdir -p.*{re.escape(folder)}\b", dockerfile), f"{folder} would belong to root"
    named = {
        volume.split(":")[0] for one in compose["services"].values() for volume in one.get("volumes", [])
    }
    assert named == set(compose["volumes"])


def test_images_are_targets_of_the_dockerfile(compose: Compose) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE))
    used = {one["build"]["target"] for one in compose["services"].values() if "build" in one}
    assert used <= targets


def test_each_service_waits_for_what_it_needs(compose: Compose) -> None:
    for name, one in compose["services"].items():
        for needed, how in one.get("depends_on", {}).items():
            other = compose["services"][needed]
            if how["condition"] == "service_healthy":
                assert "healthcheck" in other, (name, needed)
            else:
                assert how["condition"] == "service_completed_successfully"
                assert other["restart"] == "no", f"{needed} would never complete"


def test_images_and_the_makefile_install_the_same_label_studio() -> None:
    pins = {
        re.search(r"label-studio==[\d.]+' '(numpy[^']+)'", (CHECKOUT / file).read_text())[0]  # type: ignore[index]
        for file in ("Dockerfile", "Makefile")
    }
    assert len(pins) == 1
