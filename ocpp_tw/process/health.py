"""Asks a gateway on this machine whether it lives, where its own options and variables say that operators' HTTP is.

Knows no Twisted: it runs every few seconds, as the health check of a container.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ..read_settings import read
from ..settings import Address

TIMEOUT = 2.0
"""Seconds that the gateway has to answer."""

EVERY_INTERFACE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing listens here
"""Where to ask a gateway that listens on all."""


OPTIONS = {"http": "HTTP_ADDR", "http_tls": "HTTP_TLS_CERTIFICATE"}
"""The settings that say where it is, and how it is spoken with; each with its variable."""


class Where(NamedTuple):
    """Where operators' HTTP is, and whether it is HTTPS."""

    address: Address
    tls: bool

    def __str__(self) -> str:
        return str(self.address)


def arguments_of(process: int) -> list[str]:
    """The command line of a running process: in a container that of its first, be it the gateway or an init with the gateway's after its own."""
    return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")


def operators_address(arguments: Sequence[str], environment: Mapping[str, str]) -> Where:
    """Where operators' HTTP is, by the gateway's own rule (`ocpp_tw.read_settings.read`). Raises `InvalidSetting`."""
    given: dict[str, str | None] = {"http_token": "-"}  # some token, for the real one is not looked for
    for name in OPTIONS:
        option = "--" + name.replace("_", "-")
        for argument, after in pairwise([*arguments, ""]):
            if argument == option:
                given[name] = after
            elif argument.startswith(f"{option}="):
                given[name] = argument.removeprefix(f"{option}=")
    settings = read(given, {variable: environment.get(variable, "") for variable in OPTIONS.values()})
    return Where(settings.http, bool(settings.http_tls))


def alive(where: Where) -> bool:
    """Whether the gateway answers there that it lives. Whose certificate it has does not matter: nothing is told it."""
    host, port = EVERY_INTERFACE.get(where.address.host, where.address.host), where.address.port
    if where.tls:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
