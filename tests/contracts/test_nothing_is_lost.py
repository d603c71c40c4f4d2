"""What users, scripts and Label Studio reached before the rooms were rearranged is still there.

`surface.json` was collected at e944d34 by the functions below. It may grow; what leaves it is a breach.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import pytest

from chestct.acquisition.strategies import STRATEGIES
from chestct.catalog import tables
from chestct.formats.layouts import LAYOUTS
from chestct.job_queue import names
from chestct.settings import Settings
from lungloop.commands import COMMANDS, load_command
from lungloop.exporting.dataset import FORMATS
from ml_backend.app import create_app

BEFORE: dict[str, Any] = json.loads(Path(__file__).with_name("surface.json").read_text())


def commands() -> dict[str, list[str]]:
    """Every command, with every way to write each of its options."""
    found: dict[str, list[str]] = {}

    def walk(command: Any, path: list[str]) -> None:
        if hasattr(command, "list_commands"):
            context = click.Context(command)
            for name in command.list_commands(context):
                walk(command.get_command(context, name), [*path, name])
        ways = [way for option in command.params for way in [*option.opts, *option.secondary_opts]]
        found[" ".join(path)] = sorted(way for way in ways if way.startswith("-"))

    for name in COMMANDS:
        walk(load_command(name), [name])
    return found


@pytest.mark.parametrize("command", BEFORE["commands"])
def test_each_command_still_takes_each_of_its_options(command: str) -> None:
    assert set(BEFORE["commands"][command]) <= set(commands()[command])


def test_each_route_is_still_answered(tmp_path: Path) -> None:
    app = create_app(Settings.load({"LUNGLOOP_HOME": str(tmp_path)}))
    routes = {
        f"{min((rule.methods or set()) - {'HEAD', 'OPTIONS'})} {rule.rule}"
        for rule in app.url_map.iter_rules()
    }
    assert set(BEFORE["routes"]) <= routes


def test_each_setting_job_layout_format_and_strategy_still_has_its_name() -> None:
    assert set(BEFORE["settings"]) <= {field.name for field in dataclasses.fields(Settings)}
    assert set(BEFORE["jobs"]) <= {name for name in vars(names).values() if isinstance(name, str)}
    assert set(BEFORE["layouts"]) <= set(LAYOUTS)
    assert set(BEFORE["export formats"]) <= set(FORMATS)
    assert set(BEFORE["strategies"]) <= set(STRATEGIES)


def test_each_table_still_has_each_of_its_columns() -> None:
    now = {table.name: {column.name for column in table.columns} for table in tables.metadata.sorted_tables}
    for table, columns in BEFORE["tables"].items():
        assert set(columns) <= now[table], table
