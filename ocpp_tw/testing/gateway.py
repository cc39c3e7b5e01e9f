"""A gateway as a process, started as in production, for the tests of a backend: its addresses, its events, commands for it.

Knows no pytest and no charger. It waits in the calling thread, without an event loop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from ..process.die_with_parent import mortal
from ..settings import TABLE
from .events import Data, Event, name_of
from .ports import free_port
from .published import Published
from .valkey import ValkeyProcess

START_TIMEOUT = 60.0
"""Seconds that a gateway has to be ready after its start, on a machine that is busy with other work."""
STOP_TIMEOUT = 20.0
"""Seconds that it has to stop; then it is killed."""
EVENT_TIMEOUT = 30.0
"""Seconds that `GatewayProcess.wait_for` waits, if the test does not say how long."""
OWN = ("port", "http", "redis", "redis_db", "http_tls", "http_tls_key")
"""Settings that a test cannot choose: where it listens, and its Valkey."""

VARIABLES = frozenset(row.variable for row in TABLE)
"""Settings' variables, which are not taken from the environment of the tests: that may be for another gateway."""

_TWISTD = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"

D = TypeVar("D", bound=Data)


class GatewayProcess:
    """``twistd ocpp`` with these settings, over ``valkey``, whose data it deletes first. ``directory`` has its files and its log.

    The settings have the names of docs/operations.md, with underscores: ``base_url="http://…", call_timeout=2``. It has the environment of the tests, but for
    settings' variables. Raises `ValueError` for a setting that there is not, and `RuntimeError` if it does not start.
    """

    def __init__(self, directory: Path, valkey: ValkeyProcess, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self._options = _options(self.settings)
        self._port, self._http, self._directory, self._valkey = free_port(), free_port(), directory, valkey
        self.events_list: str = self.settings.get("events", "events")
        """The list that it appends events to."""
        self.commands_list: str = self.settings.get("commands", "commands")
        """The list that it takes commands from."""
        self._process: subprocess.Popen[bytes] | None = None
        self._given: set[str] = set()
        valkey("FLUSHALL")
        self._published = Published(valkey.port, self.events_list)
        self.start()

    @property
    def url(self) -> str:
        """Where chargers connect: their identity is appended to it."""
        return f"{'wss' if self.settings.get('tls') else 'ws'}://127.0.0.1:{self._port}/ocpp"

    @property
    def http(self) -> str:
        """The URL of operators' HTTP."""
        return f"http://127.0.0.1:{self._http}"

    @property
    def redis(self) -> str:
        """The URL of its Valkey, as Redis clients take it."""
        return self._valkey.url

    @property
    def log(self) -> str:
        """What it has logged."""
        file = self._directory / "gateway.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self) -> None:
        """Start it again after `stop`, with the same addresses and data; returns when it is ready."""
        command = [
            *(sys.executable, "-c", _TWISTD, "--pidfile=", "-n", "ocpp"),
            *("--port", f"127.0.0.1:{self._port}", "--http", f"127.0.0.1:{self._http}", "--redis", self.redis),
            *self._options,
        ]
        with (self._directory / "gateway.log").open("ab") as log:
            inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
            self._process = subprocess.Popen(  # noqa: S603 - its words are ours
                mortal(*command), cwd=self._directory, env=inherited, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop(kill=True)
                raise RuntimeError(
                    f"the gateway of the test does not start, with {' '.join(self._options)}; its log ends:\n{self.log[-3000:]}"
                )
            time.sleep(0.02)

    def stop(self, kill: bool = False) -> None:
        """Stop it as an operator does, or as a crash."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._published.close()

    def events(self, *names: str, charger: str | None = None) -> list[Event[Any]]:
        """The events that were published since it was first started, of these names and this charger if they are given.

        Those that a backend has taken from the list are among them, and none is taken by this.
        """
        return [
            event
            for event in self._published.events()
            if (not names or event.event in names) and (charger is None or event.data.charger == charger)
        ]

    @overload
    def wait_for(self, event: type[D], *, timeout: float = ..., **data: Any) -> Event[D]: ...

    @overload
    def wait_for(self, event: str, *, timeout: float = ..., **data: Any) -> Event[Any]: ...

    def wait_for(self, event: type[D] | str, *, timeout: float = EVENT_TIMEOUT, **data: Any) -> Event[Any]:
        """The first event of this name, or with such data, that has these members in its data and was not returned before; waits until it is there.

        ``wait_for("command_result", id="a", outcome="result")``, ``wait_for(events.StopTransaction, charger="charger-1")``. Raises `TimeoutError`
        after ``timeout`` seconds, with what came instead.
        """
        name = event if isinstance(event, str) else name_of(event)
        deadline = time.monotonic() + timeout
        while True:
            for each in self._published.events():
                if each.event == name and each.id not in self._given and all(getattr(each.data, key, None) == data[key] for key in data):
                    self._given.add(each.id)
                    return each
            if time.monotonic() > deadline:
                raise TimeoutError(self._missed(name, data, timeout))
            time.sleep(0.02)

    def send_command(self, charger: str, command: str, data: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Push a neutral command, such as ``("charger-1", "reset", {"type": "Soft"})``; returns its id.

        ``more`` are further members of it: ``id``, ``ttl``, ``timeout``. Its result is ``wait_for("command_result", id=…)``.
        """
        element = {"cp_id": charger, "command": command, "data": dict(data or {}), "id": str(uuid.uuid4()), **more}
        self._valkey("RPUSH", self.commands_list, json.dumps(element))
        return str(element["id"])

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http}/readyz", timeout=START_TIMEOUT) as answer:  # noqa: S310 - its scheme is ours
                return bool(answer.status == 200)
        except OSError:  # what is not 200 is an `HTTPError`, which is one
            return False

    def _missed(self, name: str, data: Mapping[str, Any], timeout: float) -> str:
        wanted = name + "".join(f", {key}={value!r}" for key, value in data.items())
        alike = [event.data for event in self._published.events() if event.event == name]
        instead = f"those of this name: {alike}" if alike else f"there are: {[event.event for event in self._published.events()]}"
        return f"no event {wanted} within {timeout:g} s; {instead}\nthe gateway's log ends:\n{self.log[-2000:]}"


def _options(settings: Mapping[str, Any]) -> list[str]:
    """The settings as options of twistd. Raises `ValueError` for one that there is not."""
    known = {row.name: row.option for row in TABLE}
    options: list[str] = []
    for name, value in settings.items():
        if name in OWN:
            raise ValueError(
                f"the setting {name} is the fixture's own: leave it out; where the gateway listens is told by .url, .http and .redis"
            )
        if name not in known:
            raise ValueError(f"there is no setting {name}: see `twistd ocpp --help`, and write --base-url as base_url")
        typed = (
            ("yes" if value else "no") if isinstance(value, bool) else ",".join(value) if isinstance(value, tuple | list) else str(value)
        )
        options += [known[name], typed]
    return options
