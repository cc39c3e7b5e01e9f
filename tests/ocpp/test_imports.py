"""The OCPP layer is pure: it imports no framework, no driver and no other part of the gateway, and its modules import in no cycle."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import ocpp_tw.ocpp

PACKAGE = Path(ocpp_tw.ocpp.__file__).parent
ROOT = PACKAGE.parents[1]
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in PACKAGE.rglob("*.py")}
OTHERS = {"ocpp_tw.facts", "ocpp_tw.settings", "msgspec", "jsonschema_rs", "ocpp"}
"""What it may import beside itself and the standard library; `ocpp` is the distribution with the schemas."""


def imported(module: str) -> Iterator[str]:
    """The modules that a module imports anywhere, in functions and under TYPE_CHECKING too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (parent, node.module) if part)
            submodules = [f"{source}.{alias.name}" for alias in node.names if f"{source}.{alias.name}" in MODULES]
            yield from submodules or [source]


def test_it_imports_only_itself_its_schemas_and_the_standard_library() -> None:
    for module in MODULES:
        foreign = {
            name
            for name in imported(module)
            if name not in MODULES and name not in OTHERS and name.partition(".")[0] not in sys.stdlib_module_names
        }
        assert not foreign, module


def test_its_modules_import_in_no_cycle() -> None:
    graph = {module: [name for name in imported(module) if name in MODULES] for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)  # raises CycleError if there is one


def test_packages_keep_their_direction() -> None:
    """Commands know nothing of how messages are read, tolerance nothing of versions."""
    for module in MODULES:
        names = set(imported(module))
        if module.startswith("ocpp_tw.ocpp.neutral"):
            assert names.isdisjoint({"ocpp_tw.ocpp.v16", "ocpp_tw.ocpp.v2", "ocpp_tw.ocpp.version"}), module
        if module.startswith("ocpp_tw.ocpp.tolerance"):
            assert names.isdisjoint({"ocpp_tw.ocpp.v16", "ocpp_tw.ocpp.v2", "ocpp_tw.ocpp.version"}), module
