"""Drivers do not know each other, only the process knows them all, and no module imports one that imports it."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import ocpp_tw

PACKAGE = Path(ocpp_tw.__file__).parent

ALLOWED: dict[str, set[str]] = {
    "websocket": {"websocket", "interfaces", "settings"},
    "operators": {"operators", "bounded_http", "waiting", "core", "dispatch", "gateway", "ocpp"},
    "backend": {"backend", "bounded_http", "facts", "interfaces"},
    "vendors": {"vendors", "interfaces", "facts", "ocpp"},
    "bounded_http": set(),
    "log": set(),
    "waiting": set(),
    "reliances": set(),
}
"""What the modules of a package, or a module, may import of ours, whether at run time, within a function or for its types."""

MAY_IMPORT_PROCESS = {"process", "tap"}


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, anywhere in its text."""
    files = {name_of(file): file for file in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, file in files.items():
        package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
        found: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                base = package[: len(package) + 1 - node.level] if node.level else []
                source = ".".join([*base, *filter(None, [node.module])])
                found |= {f"{source}.{alias.name}" if f"{source}.{alias.name}" in files else source for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = found & set(files) - {name}
    return graph


def part(module: str) -> str:
    """The package below ours, or the module, that it belongs to."""
    return module.split(".")[1] if "." in module else ""


def reachable(module: str) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = imports()[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("name", ALLOWED)
def test_a_package_imports_no_more_than_it_may(name: str) -> None:
    used = {(module, each) for module, found in imports().items() if part(module) == name for each in found}
    assert {(module, each) for module, each in used if part(each) not in ALLOWED[name]} == set()


def test_only_the_process_and_twistd_know_the_process() -> None:
    assert {part(module) for module, found in imports().items() if "process" in map(part, found)} <= MAY_IMPORT_PROCESS


def test_no_module_of_the_edges_is_in_a_circle_of_imports() -> None:
    """Not even for its types."""
    edges = [module for module in imports() if part(module) in {*ALLOWED, *MAY_IMPORT_PROCESS}]
    assert [module for module in edges if module in reachable(module)] == []


def test_the_parent_of_workers_stays_small() -> None:
    """It has no use for a gateway, Redis drivers or schemas, which are most of a process's memory."""
    program = "import ocpp_tw.tap, ocpp_tw.process.workers, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ocpp_tw.operators.fan_out" in loaded
    large = {"gateway", "dispatch", "core", "redis", "ocpp", "websocket", "backend", "handlers", "spool", "simulator"}
    assert {module for module in loaded if module.startswith("ocpp_tw.") and part(module) in large} == set()
    assert {module.partition(".")[0] for module in loaded} & {
        "txredisapi",
        "hiredis",
        "jsonschema_rs",
        "autobahn",
        "klein",
        "treq",
    } == set()
