"""How a setting is declared, and the parsers of its value: text from the command line or the environment in, a typed value out.

A parser raises `InvalidSetting` with what it expected; none knows which setting it parses for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import field
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit

T = TypeVar("T")

MAX_NAME = 64
"""Longest name of a gateway or of a Redis key of ours, in characters."""


class InvalidSetting(Exception):
    """A setting has an invalid value; the text names the option, says why it is invalid, and what is expected."""


class Address(NamedTuple):
    """Where to listen; an empty host means every interface."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def setting(variable: str, default: T, parse: Callable[[str], T], meaning: str) -> T:
    """A field of `ocpp_tw.settings.Settings`; as with `dataclasses.field`, its declared type is that of its default."""
    declared: T = field(default=default, metadata={"variable": variable, "parse": parse, "meaning": meaning})
    return declared


def address(text: str) -> Address:
    """``10800``, ``:10800``, ``127.0.0.1:10800`` or ``[::1]:10800``."""
    match = re.fullmatch(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/@\s]*)):)?([0-9]{1,5})", text.strip())
    if not match or int(match[3]) > 65535 or (match[1] and not _is_ipv6(match[1])):
        raise InvalidSetting("expected a port, HOST:PORT or [IPV6]:PORT")
    return Address(match[1] or match[2] or "", int(match[3]))


def _is_ipv6(host: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e7:
        raise InvalidSetting("expected a positive number of seconds")
    return value


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        digits = text.strip()  # which takes off more than `int` does
        if not re.fullmatch(r"[0-9]{1,12}", digits) or not low <= int(digits) <= high:
            raise InvalidSetting(f"expected a whole number from {low} to {high}")
        return int(digits)

    return parse


def choice(*words: str) -> Callable[[str], str]:
    """One of these words, in any case."""

    def parse(text: str) -> str:
        for word in words:
            if word.lower() == text.strip().lower():
                return word
        raise InvalidSetting("expected " + " or ".join(words))

    return parse


def words(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    """Comma-separated words: any of ``allowed``, or the names of any OCPP actions if none are given."""
    expected = f"some of {', '.join(allowed)}" if allowed else "names of OCPP actions"

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
        well_formed = all(re.fullmatch(r"[A-Za-z0-9.]{1,64}", word) for word in found)
        if not found or not well_formed or (allowed and not set(found) <= set(allowed)):
            raise InvalidSetting(f"expected {expected}, with commas between them")
        return found

    return parse


def switch(text: str) -> bool:
    """Yes or no."""
    if text.strip().lower() not in ("yes", "no", "true", "false", "1", "0", "on", "off"):
        raise InvalidSetting("expected yes or no")
    return text.strip().lower() in ("yes", "true", "1", "on")


def name(text: str) -> str:
    """A name that can be part of a Redis key."""
    if not re.fullmatch(rf"[A-Za-z0-9_.:@-]{{1,{MAX_NAME}}}", text):
        raise InvalidSetting(f"expected 1 to {MAX_NAME} letters, digits or any of _ . : @ -")
    return text


def base_url(text: str) -> str:
    """An http or https URL without a query."""
    parts = _split_url(text)
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidSetting("expected a URL such as http://backend:8000")
    return text.rstrip("/")


def redis_url(text: str) -> str:
    """``HOST:PORT``, or a redis://, rediss://, unix:// or redis+sentinel:// URL."""
    if "://" not in text:
        where = address(text)
        return f"redis://{where}" if where.host else f"redis://127.0.0.1:{where.port}"
    if re.match(r"rediss?\+sentinel://", text):
        return _sentinel_url(text)
    parts = _split_url(text)
    by_tcp = parts and parts.scheme in ("redis", "rediss") and parts.hostname and re.fullmatch(r"/?|/[0-9]{1,7}/?", parts.path)
    if not by_tcp and not (parts and parts.scheme == "unix" and (parts.netloc or parts.path)):
        raise InvalidSetting("expected HOST:PORT, or a redis://, rediss://, unix:// or redis+sentinel:// URL")
    return text


def _sentinel_url(text: str) -> str:
    if not re.fullmatch(r"rediss?\+sentinel://([^\s@/]*@)?[^\s@/,]+(,[^\s@/,]+)*/[^\s/]+(/[0-9]{1,7})?/?", text):
        raise InvalidSetting("expected redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or redis+sentinel://…/SERVICE/DB")
    hosts = text.partition("://")[2].partition("/")[0].rpartition("@")[2]
    if not all(_split_url(f"redis://{host}") for host in hosts.split(",")):
        raise InvalidSetting("expected HOST:PORT for each Sentinel")
    return text


def _split_url(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is invalid, which urllib reports in several places (`urlsplit` itself, or ``.port`` later)."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and " " not in url and (parts.scheme == "unix" or parts.port != 0) else None
    except ValueError:
        return None


def text(value: str) -> str:
    """Any text, without the white space around it."""
    return value.strip()


def networks(value: str) -> tuple[str, ...]:
    """Comma-separated addresses and networks."""
    try:
        return tuple(str(ipaddress.ip_network(each.strip(), strict=False)) for each in value.split(",") if each.strip())
    except ValueError:
        raise InvalidSetting("expected addresses or networks such as 10.1.0.0/24, with commas between them") from None


def path(value: str) -> str:
    """The path of a URL, without the slash at its end but for the root."""
    value = value.strip()
    if not re.fullmatch(r"/|(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", value):
        raise InvalidSetting("expected a path such as /ocpp, of letters, digits and any of . _ ~ -")
    return value.rstrip("/") or "/"


def header(value: str) -> str:
    """The name of an HTTP header."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", value.strip()):
        raise InvalidSetting("expected the name of a header, such as X-SSL-Client-Cert")
    return value.strip()


def files(value: str) -> tuple[str, ...]:
    """Comma-separated names of files."""
    return tuple(file.strip() for file in value.split(",") if file.strip())


def spool(value: str) -> str:
    """A directory, or "" for no."""
    return "" if value.strip().lower() in ("no", "off", "false", "0") else value.strip()
