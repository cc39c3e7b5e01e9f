"""The types of options that several commands of ``ocpp-tw`` have, for argparse: each reads a text, or says what was expected.

Knows no command.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit


def number(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """A number of that kind from ``low`` to ``high``."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a{' whole' if kind is int else ''} number from {low:g} to {high:g}, got {text!r}")
        return value

    return read


def chargers_url(text: str) -> str:
    """The URL of a gateway's port for chargers."""
    parts = _parts(text)
    if parts is None or parts.scheme not in ("ws", "wss"):
        raise argparse.ArgumentTypeError(f"expected ws://HOST:PORT/ or wss://HOST:PORT/, got {text!r}")
    return parts.geturl()  # with the scheme in lower case


def operators_url(text: str) -> str:
    """The URL of a gateway's operators' HTTP."""
    parts = _parts(text)
    if parts is None or parts.scheme not in ("http", "https") or parts.path not in ("", "/") or "@" in text:
        raise argparse.ArgumentTypeError("expected http://HOST:PORT or https://HOST:PORT")  # what was given may have a password in it
    return text


def certificates(text: str) -> str:
    """The name of a file with certificates."""
    import ssl

    try:
        ssl.create_default_context(cafile=text)
    except OSError as why:  # also an SSLError
        raise argparse.ArgumentTypeError(f"{text} has no certificates that can be read ({why})") from None
    return text


def _parts(text: str) -> SplitResult | None:
    """The parts of a URL with a host, and with neither a query nor a fragment."""
    try:
        parts = urlsplit(text)
        return parts if parts.hostname and parts.port != 0 and not parts.query and not parts.fragment else None
    except ValueError:
        return None
