"""How many connections a listening port accepts in one turn of the loop: Twisted accepts twenty more with each turn, and all that wait in the
end, while nothing else is served.

Knows neither who connects nor what is served.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet import tcp


def accept_few(port: Any, most: int) -> None:
    """Make a listening port accept no more connections than that in a turn, if it is one of Twisted's; the others wait in its backlog."""
    if isinstance(port, tcp.Port):
        port.doRead = partial(_accept, port, most)  # type: ignore[method-assign]


def _accept(port: tcp.Port, most: int) -> None:
    port.numberAccepts = most
    tcp.Port.doRead(port)
