"""What traces a gateway, by the settings: nothing, or OpenTelemetry.

Knows no span.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from twisted.internet.defer import TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread

from ..interfaces import ITracer
from ..settings import InvalidSetting, Settings
from ..untraced import Untraced
from ..waiting import in_time

SENT_WITHIN = 3.0
"""Seconds that a gateway which ends has for the spans that are not sent yet."""


class Tracing(NamedTuple):
    """``stop`` sends what is not sent yet, and ends it."""

    tracer: ITracer
    stop: Callable[[], Awaitable[None]]


def tracing_of(settings: Settings, clock: IReactorTime) -> Tracing:
    """What the settings ask for. Raises `InvalidSetting`."""
    if not settings.otel:
        return Tracing(Untraced(), lambda: succeed(None))
    try:
        from .. import otel
    except ImportError as why:
        raise InvalidSetting(f"--otel: OpenTelemetry is not installed ({why}): pip install 'ocpp_tw[otel]'") from None
    provider = otel.provider(settings.name)

    async def stop() -> None:
        with suppress(TimeoutError):  # in a thread, since it waits for the network
            await in_time(deferToThread(provider.shutdown), SENT_WITHIN, clock)

    return Tracing(otel.OtelTracer(provider, clock.seconds), stop)
