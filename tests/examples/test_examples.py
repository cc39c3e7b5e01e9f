"""The examples work as they are: copied by others, they are tested as others would test them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleets import PATIENCE
from ocpp_tw.testing.valkey import ValkeyLine

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "examples"


def environment(**more: str) -> dict[str, str]:
    """That of a process which finds this checkout."""
    return {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **more}


@pytest.fixture
def minimal(ocpp_gateway, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the minimal backend; what it prints is in the file `printed`."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "printed").open("ab") as printed:
            started.append(subprocess.Popen([sys.executable, EXAMPLES / "minimal.py", ocpp_gateway.redis], stdout=printed, stderr=printed))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def printed_until(tmp_path: Path, words: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while words not in (printed := (tmp_path / "printed").read_text()):
        assert time.monotonic() < deadline, printed
        time.sleep(0.02)
    return printed


def test_the_minimal_backend_has_40_lines():
    assert len((EXAMPLES / "minimal.py").read_text().splitlines()) <= 40


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_the_minimal_backend_lets_whoever_plugs_in_charge(ocpp_charger, minimal, tmp_path, ocpp):
    minimal()
    charger = ocpp_charger("charger-1", ocpp)
    charger.status("Preparing" if ocpp == "1.6" else "Occupied")
    asked = charger.wait_for("RemoteStartTransaction" if ocpp == "1.6" else "RequestStartTransaction")
    tag = asked["idTag"] if ocpp == "1.6" else asked["idToken"]["idToken"]
    charger.start(tag).stop(4200)
    assert printed_until(tmp_path, "Wh") == "charger-1 charges for GUEST\ncharger-1 has charged 4200 Wh\n"


def test_the_minimal_backend_goes_on_where_it_was_killed(ocpp_gateway, ocpp_charger, minimal, tmp_path):
    """An event that it had taken and applied, but not taken off: it is applied again, and its command is not executed again."""
    charger = ocpp_charger("charger-1")
    charger.status("Preparing")
    redis = ValkeyLine(int(ocpp_gateway.redis.rpartition(":")[2]))
    elements = redis("LRANGE", "events", 0, -1)
    process = minimal()
    charger.wait_for("RemoteStartTransaction")
    process.kill()
    process.wait()
    redis("LPUSH", "events:processing", elements[-1])
    charger.refuse("RemoteStartTransaction")
    minimal()
    printed_until(tmp_path, "does not start: duplicate")
    charger.start("GUEST").stop(1)
    printed_until(tmp_path, "has charged 1 Wh")
    assert redis("EXISTS", "events", "events:processing") == 0
    redis.close()
    assert [command.action for command in charger.commands] == ["RemoteStartTransaction"]


def test_the_django_backend_passes_its_own_tests():
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "ocpp_tw.testing.plugin", "-n", "0"]
    inherited = {name: value for name, value in environment().items() if not name.startswith(("PYTEST_", "DJANGO_", "GATEWAY_"))}
    done = subprocess.run(command, cwd=EXAMPLES / "django", env=inherited, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout


def manage(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One of the Django backend's own commands, with no variables but these."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "GATEWAY_"))}
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=EXAMPLES / "django", env=known | variables, capture_output=True, text=True
    )


SECRETS = {"DJANGO_SECRET_KEY": "x" * 60 + "0123456789", "GATEWAY_PASSWORD": "y" * 32}


@pytest.mark.parametrize("missing", list(SECRETS))
def test_the_django_backend_does_not_start_without_its_secrets(missing):
    done = manage("check", **{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0 and f"the environment has no {missing}: README.md says how to make one" in done.stderr


def test_the_django_backends_migrations_are_complete_and_its_settings_can_be_deployed(tmp_path):
    database = {"DATABASE": str(tmp_path / "db.sqlite3")}
    done = manage("makemigrations", "--check", "--dry-run", **SECRETS, **database)
    assert done.returncode == 0, done.stdout + done.stderr
    done = manage("check", "--deploy", "--fail-level", "ERROR", **SECRETS, **database)
    assert done.returncode == 0, done.stdout + done.stderr
