"""Which server is the master just now, asked of the Sentinels that watch over it.

Knows nothing of what the server is used for; whoever connects to it asks it once more whether it is the master.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hiredis

from .address import RedisAddress, exchange
from .protocol import pack

PATIENCE = 0.5
"""Seconds that one Sentinel has: the next one may know, and a fail-over is no time to wait."""


class NoMaster(Exception):
    """No Sentinel can be asked, or none knows the service."""


async def master(reactor: Any, where: RedisAddress) -> RedisAddress:
    """Where the master of ``where.service`` is; the first Sentinel that knows is believed. Raises `NoMaster`."""
    asked = b"*3\r\n%b*1\r\n$4\r\nPING\r\n" % pack("SENTINEL", "GET-MASTER-ADDR-BY-NAME", where.service)
    silent: list[str] = []
    ignorant: list[str] = []
    for host, port in where.sentinels:
        sentinel = RedisAddress(host, port, tls=where.tls)
        reader = hiredis.Reader()
        reader.feed(await exchange(reactor, sentinel, asked, b"PONG", PATIENCE))
        try:
            told = reader.gets()
        except hiredis.ProtocolError:
            told = False
        if isinstance(told, list) and len(told) == 2:
            return replace(where, host=told[0].decode(), port=int(told[1]), service="", sentinels=())
        (silent if told is False else ignorant).append(f"{host}:{port}")
    if ignorant:
        raise NoMaster(f"the Sentinels at {', '.join(ignorant)} know no master of {where.service!r}")
    raise NoMaster(f"no Sentinel answers at {', '.join(silent)}")
