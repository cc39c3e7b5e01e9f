"""Asks the Sentinels which server is the master.

Knows nothing of what the server is used for. A Sentinel may be out of date: `Connection` asks the server itself whether it is the master.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hiredis

from .address import RedisAddress, exchange
from .protocol import pack

SENTINEL_TIMEOUT = 0.5
"""Seconds that one Sentinel has to answer; then the next one is asked. Short, because it is asked during a fail-over."""


class NoMaster(Exception):
    """No Sentinel answers, or none knows the service."""


async def master(reactor: Any, address: RedisAddress) -> RedisAddress:
    """The address of the master of ``address.service``, by the first Sentinel that knows it. Raises `NoMaster`."""
    request = b"*3\r\n%b*1\r\n$4\r\nPING\r\n" % pack("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
    silent: list[str] = []
    ignorant: list[str] = []
    for host, port in address.sentinels:
        sentinel = RedisAddress(host, port, tls=address.tls)
        reader = hiredis.Reader()
        reader.feed(await exchange(reactor, sentinel, request, b"PONG", SENTINEL_TIMEOUT))
        try:
            reply = reader.gets()
        except hiredis.ProtocolError:
            reply = False
        if isinstance(reply, list) and len(reply) == 2:
            return replace(address, host=reply[0].decode(), port=int(reply[1]), service="", sentinels=())
        (silent if reply is False else ignorant).append(f"{host}:{port}")
    if ignorant:
        raise NoMaster(f"the Sentinels at {', '.join(ignorant)} know no master of {address.service!r}")
    raise NoMaster(f"no Sentinel answers at {', '.join(silent)}")
