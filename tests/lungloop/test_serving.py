"""`lungloop serve`: where it may listen, asked through the command itself."""

import ast
from pathlib import Path

import pytest
from gunicorn.app.base import BaseApplication

from lungloop import cli

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCT = ("chestct", "ml_backend", "training", "lungloop")


@pytest.fixture
def bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the server was asked to bind; none is bound."""
    addresses: list[str] = []
    monkeypatch.setattr(BaseApplication, "run", lambda server: addresses.extend(server.cfg.bind))
    monkeypatch.setattr("sys.argv", ["lungloop"])
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.delenv("LUNGLOOP_BACKEND_KEY", raising=False)
    return addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.168.1.5", "backend", ""])
def test_an_address_that_others_reach_is_refused_without_a_key_before_anything_is_made(
    host: str, bound: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["serve", "--host", host]) == cli.ExitCode.WRONG_USAGE
    assert "LUNGLOOP_BACKEND_KEY" in capsys.readouterr().err
    assert bound == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:9090"),
        ("localhost", "localhost:9090"),
        ("::1", "[::1]:9090"),
        ("[::1]", "[::1]:9090"),
    ],
)
def test_a_loopback_address_needs_no_key(host: str, address: str, bound: list[str]) -> None:
    assert cli.run(["serve", "--host", host]) == 0
    assert bound == [address]


@pytest.mark.parametrize(("host", "address"), [("0.0.0.0", "0.0.0.0:9090"), ("::", "[::]:9090")])
def test_with_a_key_every_address_is_served(
    host: str, address: str, bound: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGLOOP_BACKEND_KEY", "secret")
    assert cli.run(["serve", "--host", host]) == 0
    assert bound == [address]


def test_what_is_loopback_is_decided_in_one_place() -> None:
    # Two definitions disagreed about `[::1]`, and the tested one was called by nobody.
    defined = [
        path.relative_to(CHECKOUT).as_posix()
        for package in PRODUCT
        for path in (CHECKOUT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "is_loopback"
    ]
    assert defined == ["ml_backend/auth.py"]
