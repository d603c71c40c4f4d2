"""What the product imports is declared: a package that only comes with another one may stop to come."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = {"chestct", "ml_backend", "training", "lungloop"}
# label-studio-ml has an environment of its own (see the Makefile), and so is not declared here.
ELSEWHERE = {"label_studio_ml"}


def normalised(name: str) -> str:
    """A distribution's name as the package index compares it, without extras and versions."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def declared() -> set[str]:
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(extras[name] for name in extras if name != "dev")]
    return {normalised(requirement) for group in groups for requirement in group}


def third_party_imports() -> dict[str, list[str]]:
    """Top-level name -> the files of the product that import it."""
    found: dict[str, list[str]] = {}
    for package in sorted(OURS):
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in {name.split(".")[0] for name in names} - OURS - ELSEWHERE:
                    if name not in sys.stdlib_module_names:
                        found.setdefault(name, []).append(path.relative_to(CHECKOUT).as_posix())
    return found


@pytest.mark.parametrize("name", sorted(third_party_imports()))
def test_every_imported_package_is_declared(name: str) -> None:
    distributions = {normalised(distribution) for distribution in packages_distributions()[name]}
    assert distributions & declared(), (
        f"{', '.join(third_party_imports()[name])}: `import {name}` needs one of {sorted(distributions)} "
        "in [project] dependencies of pyproject.toml"
    )


def test_every_declared_package_has_its_exact_version() -> None:
    text = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {normalised(line) for line in text.splitlines() if "==" in line}
    assert declared() <= pinned
