"""The core is pure: it knows neither the reactor nor any driver's library, not even by way of somebody else (DESIGN)."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import ocpp_tw

HOUSE = Path(ocpp_tw.__file__).parent
VERSIONS = ["versions", *sorted(f"versions.{each.stem}" for each in (HOUSE / "versions").glob("*.py") if each.stem != "__init__")]
CORE = [
    *("frames", "conversation", "schemas", "events", "facts", "commands", "store", "meter"),
    *("transactions", "handshake", "stamps", "settings", "signed", "fastpath", *VERSIONS),
    *("aliases", "meanings", "forms", "clocks", "repair", "tolerance", "evidence"),
]
FOREIGN = {"twisted", "autobahn", "txaio", "txredisapi", "treq", "klein", "hiredis", "OpenSSL", "dotenv"}  # zope.interface may come


@cache
def loaded_by_the_core() -> set[str]:
    """The names of all modules in an interpreter that has imported the core and nothing else."""
    program = f"import {', '.join('ocpp_tw.' + each for each in CORE)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=HOUSE.parent, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_core_imports_none_of_the_drivers_libraries() -> None:
    """Neither directly nor by way of another module."""
    assert {each.partition(".")[0] for each in loaded_by_the_core()} & FOREIGN == set()


def test_the_core_imports_nothing_of_ours_but_the_core() -> None:
    """So whoever reads it need not read the rest."""
    ours = {each.removeprefix("ocpp_tw.") for each in loaded_by_the_core() if each.startswith("ocpp_tw.")}
    assert ours == set(CORE)
