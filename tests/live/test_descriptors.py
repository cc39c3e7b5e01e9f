"""Strangers open connections without end, and everybody else is served."""

from __future__ import annotations

import json
import select
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from websockets.sync.client import connect

from fleets import PATIENCE, Valkey

from .conftest import Process

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the reactor may wait with select()")]


def refused(connection: socket.socket) -> bool:
    """Whether the gateway has closed it."""
    return bool(select.select([connection], [], [], 0)[0])


def test_operators_and_redis_have_descriptors_left(start: Callable[..., Process], clean: Valkey) -> None:
    """A21, F17: with all connections taken, /healthz answers, a charger that is connected is served, and Redis is found again."""
    gateway = start(descriptors=300)
    with ExitStack() as stack:
        charger = stack.enter_context(
            connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp1.6"], open_timeout=PATIENCE, ping_interval=None)
        )
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port))) for _ in range(400)]
        gateway.until(lambda: sum(map(refused, crowd)) >= 400 - 112)
        assert gateway.get("/healthz") == (200, {"status": "ok", "chargers": 1})
        clean("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        charger.send('[2,"1","Heartbeat",{}]')
        assert json.loads(charger.recv(PATIENCE))[:2] == [3, "1"]
        gateway.until(lambda: gateway.get("/readyz")[1]["redis"])
        assert gateway.log.read_text().count("connections refused") == 1
