"""Ports for servers that tests start. Knows nothing of these."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens, never the same twice; no outgoing connection takes it meanwhile, since systems give those higher ones."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
