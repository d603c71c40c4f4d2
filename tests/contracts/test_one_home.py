"""Rules that have one home: whoever writes one again elsewhere is told where it lies."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("chestct", "ml_backend", "training", "lungloop")
FILES = ROOT / "chestct" / "files.py"
# Whole folders, uploads and full logs are moved there; a file that is written anew never is.
MOVES = frozenset({"weights.py", "dataset.py", "store.py", "incoming.py", "service.py"})


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The name of each function or method that a module calls."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node


def replaces_a_file(name: str, call: ast.Call) -> bool:
    """`os.replace(a, b)`, `path.replace(b)`; texts take two arguments, dates and dataclasses keywords."""
    of_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "os"
    if name == "replace":
        return of_os or (len(call.args) == 1 and not call.keywords)
    return name == "rename" and of_os


def test_files_are_written_atomically_and_locked_in_one_module() -> None:
    offenders = []
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            if path == FILES:
                continue
            for name, call in calls(path):
                if (
                    name in ("flock", "lockf", "fsync", "mkstemp", "NamedTemporaryFile")
                    or replaces_a_file(name, call)
                    or (name == "rename" and path.name not in MOVES)
                ):
                    offenders.append(f"{path.relative_to(ROOT)}:{call.lineno} {name}")
    assert not offenders, f"use chestct.files (write_atomic, atomic_file, exclusive_lock): {offenders}"
