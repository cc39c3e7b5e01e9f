"""A short run of the fault injection (F35); `make chaos` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]


def test_nothing_is_lost_under_fault_injection(tmp_path):
    """F35, in half a minute: Valkey and the gateway are killed and disturbed while a dozen chargers are active."""
    run = subprocess.run(
        [
            sys.executable, "-m", "chaos", "--seed", "4", "--faults", "14", "--duration", "14", "--chargers", "12",
            "--keep", str(tmp_path / "failure"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{ROOT / 'tests/support'}"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-12_000:] + run.stderr[-3000:]
    assert ": 14 faults; " in run.stdout
