"""What each program is started with: loopback only, no outside request, nothing secret on a command line."""

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from chestct.errors import ServiceUnavailableError
from chestct.settings import Settings
from lungloop.stack import services
from lungloop.stack.credentials import Credentials

LOGIN = Credentials("reader@lungloop.local", "pass-word", "token-token", "queue-secret")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(
        Settings.load({"LUNGLOOP_HOME": str(tmp_path)}),
        label_studio_url="http://127.0.0.1:8080",
        label_studio_files_root=str(tmp_path),
        project_id=7,
    )


def test_label_studio_listens_on_loopback_and_asks_nobody_outside(settings: Settings) -> None:
    service = services.label_studio_service(settings, 8080, LOGIN, Path("/ls"))
    assert "--internal-host 127.0.0.1 --port 8080" in " ".join(service.command)
    for name, value in {
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "ENABLE_LEGACY_API_TOKEN": "true",
    }.items():
        assert service.environment[f"LABEL_STUDIO_{name}"] == value


def test_label_studio_may_call_loopback_and_no_other_private_address(settings: Settings) -> None:
    service = services.label_studio_service(settings, 8080, LOGIN, Path("/ls"))
    assert service.environment["LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS"] == "false"
    banned = [
        ipaddress.ip_network(text)
        for text in service.environment["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")
    ]

    def is_banned(text: str) -> bool:
        return any(ipaddress.ip_address(text) in network for network in banned)

    assert not is_banned("127.0.0.1")
    for address in ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1"):
        assert is_banned(address), address


def test_no_secret_stands_on_a_command_line(settings: Settings, tmp_path: Path) -> None:
    started = [
        services.queue_service(tmp_path, 6379, LOGIN.queue_password),
        services.label_studio_service(settings, 8080, LOGIN, Path("/ls")),
        services.backend_service(replace(settings, label_studio_token=LOGIN.token), 9090),
        services.worker_service(settings, services.TRAIN_WORKER, "train"),
    ]
    line = " ".join(word for service in started for word in service.command)
    for secret in (LOGIN.password, LOGIN.token, LOGIN.queue_password):
        assert secret not in line


def test_the_queue_wants_a_password_and_keeps_every_change(tmp_path: Path) -> None:
    service = services.queue_service(tmp_path, 6379, "queue-secret")
    config = Path(service.command[1])
    assert config.stat().st_mode & 0o777 == 0o600
    text = config.read_text()
    for line in ("bind 127.0.0.1", "port 6379", "appendonly yes", "requirepass queue-secret"):
        assert f"{line}\n" in text


def test_a_child_sees_the_settings_of_its_supervisor(settings: Settings) -> None:
    environment = services.backend_service(replace(settings, retrain_every=5), 9090).environment
    ours = {key: value for key, value in environment.items() if key.startswith("LUNGLOOP_")}
    assert Settings.load(ours) == replace(
        settings, retrain_every=5, shared_data=Settings.load(ours).shared_data
    )


def test_programs_of_one_machine_need_no_proxy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")
    environment = services.backend_service(settings, 9090).environment
    assert environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_training_gives_way_to_what_a_reader_waits_for(settings: Settings) -> None:
    assert services.worker_service(settings, services.TRAIN_WORKER, "train").command[:3] == (
        "nice",
        "-n",
        "10",
    )
    assert services.worker_service(settings, services.QUICK_WORKER, "quick").command[0] != "nice"


def test_a_missing_label_studio_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="make label-studio"):
        services.label_studio_program(tmp_path)
