"""The state of a charger as it is kept in the store: JSON that is short, since there is one of each charger.

Knows neither the store nor when it is written.
"""

from __future__ import annotations

from itertools import chain, zip_longest
from sys import intern

import msgspec

from .curve import Curve
from .state import MAX_CONNECTORS, MAX_RUNNING, ChargerState, Connector, Running, urgency

MAX_BYTES = 4096
"""Longest that is kept of a charger. What is longer is kept without the remarks of connectors, and if that does not help, the most important of
it: some 80 connectors, or 60 transactions."""

NOTHING = b"[]"
"""Stands for a state of which nothing can be kept."""

_Connector = tuple[int | None, int | None, str, str | None, str | None, int]
_Running = tuple[int | str, int, int, str | None, int | None, int | None, int, float | None, float | None]


class _Stored(msgspec.Struct, array_like=True, gc=False):
    """``gateway`` has written it. The connectors have the members of `Connector`; a running transaction has its id, its connector, when it was
    first known here (Unix time), its charging state, its first and latest energy register, when that was read, its power and state of charge.
    """

    gateway: str
    connectors: list[_Connector]
    running: list[_Running]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Stored).decode


def encoded(gateway: str, state: ChargerState) -> bytes:
    """The state as that gateway knows it."""
    connectors = [(each.evse, each.connector, each.status, each.error_code, each.info, each.since) for each in state.connectors]
    running = [
        (
            each.id, each.conn, int(each.curve.begun), each.charging_state, each.first_wh, each.register_wh, int(each.read_at), each.power_w,
            each.soc,
        )
        for each in state.running
    ]  # fmt: skip
    text = _encode((gateway, connectors, running))
    if len(text) > MAX_BYTES:
        connectors = [(*each[:4], None, each[5]) for each in connectors]
        text = _encode((gateway, connectors, running))
    if len(text) > MAX_BYTES:
        text = _encode((gateway, *_most_important(connectors, running, MAX_BYTES - len(_encode((gateway, [], []))))))
    return text if len(text) <= MAX_BYTES else NOTHING


def _most_important(connectors: list[_Connector], running: list[_Running], room: int) -> tuple[list[_Connector], list[_Running]]:
    """What goes into so many bytes, in its order: connectors that are faulted, which the charger may not tell again; then those that charge and
    the transactions, the latest first, in turn; then the others."""
    faulted, charging, others = [[each for each in connectors if urgency(each[2]) == wanted] for wanted in range(3)]
    in_turn = [each for each in chain.from_iterable(zip_longest(charging, reversed(running))) if each is not None]
    kept = set()
    for each in chain(faulted, in_turn, others):
        size = len(_encode(each)) + 1  # the comma
        if size <= room:
            room -= size
            kept.add(id(each))
    return [each for each in connectors if id(each) in kept], [each for each in running if id(each) in kept]


def decoded(text: bytes) -> tuple[str, ChargerState] | None:
    """Who has written it, and the state; None if it is none, or of another release."""
    try:
        kept = _decode(text)
    except ValueError:  # also msgspec's
        return None
    connectors = [
        Connector(evse, connector, intern(status), error and intern(error), info, since)
        for evse, connector, status, error, info, since in kept.connectors[:MAX_CONNECTORS]
    ]
    running = [
        Running(id, conn, Curve(begun), charging, power, register, first, read_at, soc)
        for id, conn, begun, charging, first, register, read_at, power, soc in kept.running[-MAX_RUNNING:]
    ]
    return kept.gateway, ChargerState(tuple(connectors), tuple(running))
