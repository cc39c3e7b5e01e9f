"""What a process does with its reactor and its signals, whether it is one gateway, one of several workers, or their parent.

Knows nothing of what is served.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from ..settings import Settings
from . import tuning


def prepare(reactor: Any) -> None:
    """What a reactor needs to be fit for a gateway, in whichever process."""
    tuning.shorten_loop(reactor)
    reactor.seconds = time.monotonic  # or a step of the clock fires every timer at once, or none for an hour
    reactor.callWhenRunning(tuning.freeze_garbage)
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, lambda *_: reactor.callFromThread(stop, reactor))


def on_hangup(reactor: Any, settings: Settings, reload: Callable[[], None]) -> None:
    """What SIGHUP does where there is something to read again; elsewhere it ends the process, as ever."""
    if settings.tls and hasattr(signal, "SIGHUP"):
        reactor.callWhenRunning(signal.signal, signal.SIGHUP, lambda *_: reactor.callFromThread(reload))


def stop(reactor: Any) -> None:
    """What SIGTERM does here. Twisted's own handler would end the process by the signal, as if it had failed to stop."""
    if reactor.running and not getattr(reactor, "_stopped", False):
        reactor.stop()


def give_up(reactor: Any) -> None:
    """End with status 1; twistd itself has no way to say so from inside a service."""
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    if reactor.running:
        reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)
