"""Reactor and signals of a process, whether it is a single gateway, one of several workers, or their parent.

Knows nothing of what is served.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from ..settings import Settings
from . import descriptors, tuning


def prepare(reactor: Any) -> None:
    """Set up the reactor of any of these processes."""
    if tuning.shorten_loop(reactor):
        descriptors.raise_limit()  # select() could not wait for as many
    tuning.return_large_blocks()
    reactor.seconds = time.monotonic  # or a step of the clock fires every timer at once, or none for an hour
    reactor.callWhenRunning(tuning.freeze_garbage)
    reactor.callWhenRunning(tuning.FreeMemory().start, reactor)
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, lambda *_: reactor.callFromThread(stop, reactor))


def on_hangup(reactor: Any, settings: Settings, reload: Callable[[], None]) -> None:
    """Reload at SIGHUP if there is something to reload (certificates, tokens); otherwise SIGHUP ends the process, as usual."""
    if (settings.tls or settings.tls_client_ca or settings.http_tls or settings.http_tokens) and hasattr(signal, "SIGHUP"):
        reactor.callWhenRunning(signal.signal, signal.SIGHUP, lambda *_: reactor.callFromThread(reload))


def stop(reactor: Any) -> None:
    """Stop at SIGTERM, with status 0. Twisted's own handler would end the process by the signal, as if it had failed to stop."""
    if reactor.running and not getattr(reactor, "_stopped", False):
        reactor.stop()


def give_up(reactor: Any) -> None:
    """Stop with status 1; twistd has no way to set it from inside a service."""
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    if reactor.running:
        reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)
