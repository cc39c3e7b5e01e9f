"""The documents say what the code does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest

from ocpp_tw.ocpp.v16 import V16

ROOT = Path(__file__).parents[1]


def test_the_tables_are_those_of_the_code():
    checked = subprocess.run(
        [sys.executable, "docs/tables.py", "--check"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_neutral_command_of_the_contract_is_known():
    said = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/contract.md").read_text(), re.MULTILINE)
    for command in ("remote_start_transaction", "remote_stop_transaction", "get_configuration", "change_configuration"):
        assert command in said and command in V16.neutral


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/contract.md",
        "docs/operations.md",
        "docs/extending.md",
        "docs/tolerance.md",
        "docs/performance.md",
        "examples/django/README.md",
    ],
)
def test_every_make_target_and_file_that_is_named_exists(name):
    text = (ROOT / name).read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    for path in re.findall(r"`((?:docs|tests|benchmarks|twisted|ocpp_tw)/[\w./-]+)`", text):
        assert path.startswith("twisted/") or (ROOT / path).exists(), path  # those must not exist


def defined(path: Path) -> set[str]:
    """The names of functions, classes and methods in a module."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return names


def test_every_function_that_contributing_leads_to_is_there():
    links = re.findall(r"\[`([\w.]+)`\]\((ocpp_tw/[\w/]+\.py)\)", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(links) > 20
    for name, path in links:
        assert name in defined(ROOT / path), f"{path} has no {name}"


def test_the_layers_of_contributing_are_those_that_lint_checks():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    checked = [re.split(r"\W+", line.strip()) for line in config["importlinter:contract:layers"]["layers"].strip().splitlines()]
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("**Layers.**")[2]
    block = re.search(r"\n\n((?:    .+\n)+)", text)
    assert block is not None
    told = [re.split(r", *", re.split(r"   +", line.strip())[0]) for line in block.group(1).splitlines()]
    assert told == checked


def test_the_testing_example_of_the_documents_passes(tmp_path):
    """A handlers' author copies both examples into files side by side, and runs pytest."""
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/extending.md").read_text(), re.DOTALL)
    (tmp_path / "my_handlers.py").write_text(next(code for code in examples if "IHandlersPlugin" in code))
    (tmp_path / "test_my_handlers.py").write_text(next(code for code in examples if "InMemoryGateway" in code))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_example_of_a_backends_test_passes(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/extending.md").read_text(), re.DOTALL)
    (tmp_path / "test_my_backend.py").write_text(next(code for code in examples if "ocpp_charger" in code))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "ocpp_tw.testing.plugin", "--strict-markers", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout + done.stderr


def test_every_public_module_of_the_documents_can_be_imported():
    table = (ROOT / "docs/extending.md").read_text().partition("# What is public")[2]
    modules = re.findall(r"`(ocpp_tw\.[\w.]+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    assert len(modules) >= 8
    for module in modules:
        assert import_module(module).__doc__
