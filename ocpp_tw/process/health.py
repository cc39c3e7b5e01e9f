"""Asks a gateway on this machine whether it lives, where its own options and variables say that operators' HTTP is.

Knows no Twisted: it runs every few seconds, as the health check of a container.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..settings import Address, read

TIMEOUT = 2.0
"""Seconds that the gateway has to answer."""

EVERY_INTERFACE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing listens here
"""Where to ask a gateway that listens on all."""


def arguments_of(process: int) -> list[str]:
    """The command line of a running process: in a container that of its first, be it the gateway or an init with the gateway's after its own."""
    return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")


def operators_address(arguments: Sequence[str], environment: Mapping[str, str]) -> Address:
    """Where operators' HTTP is, by the gateway's own rule (`ocpp_tw.settings.read`). Raises `InvalidSetting`."""
    given: str | None = None
    for argument, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--http":
            given = after
        elif argument.startswith("--http="):
            given = argument.removeprefix("--http=")
    # some token, for the real one is not looked for
    return read({"http": given, "http_token": "-"}, {"HTTP_ADDR": environment.get("HTTP_ADDR", "")}).http


def alive(address: Address) -> bool:
    """Whether the gateway answers there that it lives."""
    connection = http.client.HTTPConnection(EVERY_INTERFACE.get(address.host, address.host), address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
