"""The example at the end of each command's help: it parses, and names nothing that cannot exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from chestct.settings import Settings
from lungloop import cli
from training.retraining.plan import next_version

# What a person may type: a model that ships with the project, or one that a retrain made.
SHIPPED, RETRAINED = re.compile(r"base-\d+"), re.compile(r"v\d{4}-[0-9a-f]{8}")
OF_A_VERSION = {"version", "model", "start_from", "kinds_from"}
# These two take the name of a new version, which is the caller's to choose.
NAMING = {"fit", "models mean"}


def commands() -> dict[str, Any]:
    """Every command by its name, `models list` and the like included."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_group(cli.app).commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= {f"{name} {inner}": leaf for inner, leaf in command.commands.items()}
        found[name] = command
    return found


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
