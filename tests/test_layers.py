"""What a package loads when it is imported, by itself and by way of others. Which package may import which is checked by `make lint`."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest

import ocpp_tw

FRAMEWORKS = {"twisted", "autobahn", "txaio", "txredisapi", "treq", "klein", "hiredis", "OpenSSL", "dotenv"}  # zope.interface may come


@cache
def loaded_by(*packages: str) -> set[str]:
    """The names of all modules in an interpreter that has imported every module of these packages, and nothing else."""
    modules = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(import_module(f"ocpp_tw.{package}").__path__, f"ocpp_tw.{package}.")
    ]
    program = f"import {', '.join(modules)}, sys; print(*sys.modules)"
    root = ocpp_tw.__path__[0].removesuffix("ocpp_tw")
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_pure_packages_load_no_framework() -> None:
    assert {name.partition(".")[0] for name in loaded_by("ocpp", "core")} & FRAMEWORKS == set()


def test_the_pure_packages_load_nothing_above_them() -> None:
    ours = {name.split(".")[1] for name in loaded_by("ocpp", "core") if name.startswith("ocpp_tw.")}
    assert ours <= {"ocpp", "core", "facts", "settings", "setting_types", "words", "concealed", "repeated_secrets"}


@pytest.mark.parametrize("package", ["gateway", "dispatch", "redis", "websocket", "operators", "spool", "vendors"])
def test_what_needs_no_http_client_does_not_load_treq(package: str) -> None:
    assert "treq" not in loaded_by(package)


def test_the_handshake_and_fast_frames_can_be_used_without_a_framework() -> None:
    """They are driven by fuzzers and benchmarks without a reactor."""
    program = "import ocpp_tw.websocket.handshake, ocpp_tw.websocket.fast_frames, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & FRAMEWORKS == set()


def test_the_parent_of_workers_stays_small() -> None:
    """It has no use for a gateway, Redis drivers or schemas, which are most of a process's memory."""
    program = "import ocpp_tw.tap, ocpp_tw.process.workers, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ocpp_tw.operators.fan_out" in loaded
    large = {"gateway", "dispatch", "core", "redis", "ocpp", "websocket", "backend", "handlers", "spool", "simulator"}
    small = {"ocpp_tw.core", "ocpp_tw.core.rate_limit", "ocpp_tw.core.security"}  # a few lines without imports
    assert {name for name in loaded - small if name.startswith("ocpp_tw.") and name.split(".")[1] in large} == set()
    libraries = {"txredisapi", "hiredis", "jsonschema_rs", "autobahn", "klein", "treq"}
    assert {name.partition(".")[0] for name in loaded} & libraries == set()
