"""The help: quick, one line a command, and an example that parses and names nothing that cannot exist."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_group

from chestct.settings import Settings
from lungloop import cli
from lungloop.commands import COMMANDS, load_command
from training.retraining.plan import next_version

IN_SCOPE = {
    "up", "down", "status", "doctor", "serve", "worker", "import", "preannotate", "next", "sync", "retrain",
    "models", "export", "segment", "severity", "fit", "evaluate", "readers",
}  # fmt: skip
HEAVY = {"torch", "sqlalchemy", "flask", "rq", "redis", "httpx", "nibabel", "PIL", "scipy"}
# What a person may type: a model that ships with the project, or one that a retrain made.
SHIPPED, RETRAINED = re.compile(r"base-\d+"), re.compile(r"v\d{4}-[0-9a-f]{8}")
OF_A_VERSION = {"version", "model", "start_from", "kinds_from"}
# These two take the name of a new version, which is the caller's to choose.
NAMING = {"fit", "models mean"}


def commands() -> dict[str, Any]:
    """Every command by its name, `models list` and the like included."""
    found: dict[str, Any] = {}
    for name in COMMANDS:
        command = load_command(name)
        if isinstance(command, TyperGroup):
            found |= {f"{name} {inner}": leaf for inner, leaf in command.commands.items()}
        found[name] = command
    return found


def test_every_command_of_the_contract_is_there() -> None:
    first_words = {name.split()[0] for name in commands()}
    assert first_words >= IN_SCOPE
    assert {name for name in commands() if name.startswith("models ")} == {
        "models list",
        "models mean",
        "models show",
        "models card",
        "models promote",
        "models rollback",
    }


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_help_of_every_command_ends_with_an_example_of_it(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "300")
    assert cli.run([*name.split(), "--help"]) == 0
    page = capsys.readouterr().out
    assert f"lungloop {name}" in page[page.index("Example: ") :]


def test_help_starts_without_the_heavy_packages() -> None:
    probe = (
        "import sys; from lungloop.cli import run; run(['--help']); "
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run((sys.executable, "-c", probe), capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_line_of_each_command_is_the_first_of_its_own_help() -> None:
    assert {name: load_command(name).help.split("\n")[0] for name in COMMANDS} == {
        name: line for name, (_, line) in COMMANDS.items()
    }


def test_every_command_of_a_module_is_in_the_table() -> None:
    defined = {
        (name, module)
        for module in {module for module, _ in COMMANDS.values()}
        for name in get_group(import_module(f"lungloop.commands.{module}").app).commands
    }
    assert defined == {(name, module) for name, (module, _) in COMMANDS.items()}


def test_no_help_page_waits_for_torch() -> None:
    probe = (
        "import sys; from lungloop.commands import COMMANDS, load_command; "
        "[load_command(name) for name in COMMANDS]; assert 'torch' not in sys.modules"
    )
    subprocess.run((sys.executable, "-c", probe), check=True)


def words_of(name: str) -> list[str]:
    """The example's arguments behind the command's name, without the variables before `lungloop`."""
    line = commands()[name].epilog.removeprefix("Example: ")
    words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(line)]
    start = words.index("lungloop") + 1
    for variable in words[: start - 1]:
        setting = variable.partition("=")[0].removeprefix("LUNGLOOP_").lower()
        assert setting in Settings.__dataclass_fields__, f"{variable} sets nothing"
    depth = len(name.split())
    assert words[start : start + depth] == name.split()
    return words[start + depth :]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that holds the folder of studies which the examples speak of."""
    (tmp_path / "MosMedData").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_retrain_names_its_version_in_this_way() -> None:
    assert RETRAINED.fullmatch(next_version("0123456789abcdef", ["base-1", "v0041-fedcba98"]))


@pytest.mark.parametrize("name", sorted(set(commands()) - {"models"}))
def test_the_example_parses_and_its_versions_can_exist(name: str, home: Path) -> None:
    context = commands()[name].make_context(name, words_of(name))
    for parameter, value in context.params.items():
        if parameter in OF_A_VERSION and not (parameter == "version" and name in NAMING):
            for version in value if isinstance(value, list | tuple) else filter(None, [value]):
                assert SHIPPED.fullmatch(version) or RETRAINED.fullmatch(version), f"no version is {version}"


def test_the_example_of_a_group_is_one_of_its_commands() -> None:
    assert f"models {words_of('models')[0]}" in commands()
