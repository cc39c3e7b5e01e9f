"""Every setting of the gateway in one table: its option, its environment variable, its default and its meaning.

Knows neither argv nor the environment; `ocpp_tw.tap` reads those. The table in docs/operations.md is checked against this one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

NAME = 64
"""The longest name of a gateway, in characters."""

OWN = ("spool",)
"""Settings that name a directory which no two gateways can share."""


class InvalidSetting(Exception):
    """A setting makes no sense; the text names the option, says why, and what would do."""


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


class Setting(NamedTuple):
    """One row: the option is the name with dashes."""

    name: str
    variable: str
    default: Any
    read: Callable[[str], Any]
    meaning: str

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")


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
    """A whole number within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text.strip()) or not low <= int(text) <= high:
            raise InvalidSetting(f"expected a whole number from {low} to {high}")
        return int(text)

    return read


def choice(*words: str) -> Callable[[str], str]:
    """One of a few words, in any case."""

    def read(text: str) -> str:
        for word in words:
            if word.lower() == text.strip().lower():
                return word
        raise InvalidSetting("expected " + " or ".join(words))

    return read


def words(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Words with commas between them; of a few, or any."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
        if not found or (known and not set(found) <= set(known)) or not all(re.fullmatch(r"[A-Za-z0-9.]{1,64}", each) for each in found):
            raise InvalidSetting(
                "expected " + (f"some of {', '.join(known)}" if known else "names of OCPP actions") + ", with commas between them"
            )
        return found

    return read


def switch(text: str) -> bool:
    """yes or no."""
    if text.strip().lower() not in ("yes", "no", "true", "false", "1", "0", "on", "off"):
        raise InvalidSetting("expected yes or no")
    return text.strip().lower() in ("yes", "true", "1", "on")


def name(text: str) -> str:
    """A name that is fit for a Redis key."""
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,64}", text):
        raise InvalidSetting("expected 1 to 64 letters, digits or any of _ . : @ -")
    return text


def base_url(text: str) -> str:
    """An http or https URL without query."""
    parts = _parts(text)
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidSetting("expected a URL such as http://backend:8000")
    return text.rstrip("/")


def redis_url(text: str) -> str:
    """``HOST:PORT``, or a redis://, rediss://, unix:// or redis+sentinel:// URL."""
    if "://" not in text:
        where = address(text)
        return f"redis://{where}" if where.host else f"redis://127.0.0.1:{where.port}"
    if re.match(r"rediss?\+sentinel://", text):
        if not re.fullmatch(r"rediss?\+sentinel://([^\s@/]*@)?[^\s@/,]+(,[^\s@/,]+)*/[^\s/]+(/[0-9]{1,7})?/?", text):
            raise InvalidSetting("expected redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or redis+sentinel://…/SERVICE/DB")
        if not all(_parts(f"redis://{each}") for each in text.partition("://")[2].partition("/")[0].rpartition("@")[2].split(",")):
            raise InvalidSetting("expected HOST:PORT for each Sentinel")
        return text
    parts = _parts(text)
    by_tcp = parts and parts.scheme in ("redis", "rediss") and parts.hostname and re.fullmatch(r"/?|/[0-9]{1,7}/?", parts.path)
    if not by_tcp and not (parts and parts.scheme == "unix" and (parts.netloc or parts.path)):
        raise InvalidSetting("expected HOST:PORT, or a redis://, rediss://, unix:// or redis+sentinel:// URL")
    return text


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL; None when it is none, since urllib tells that in different places."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and " " not in url and (parts.scheme == "unix" or parts.port != 0) else None
    except ValueError:
        return None


def text(value: str) -> str:
    """Any text but white space."""
    return value.strip()


def spool(value: str) -> str:
    """A directory, or no."""
    return "" if value.strip().lower() in ("no", "off", "false", "0") else value.strip()


TABLE: tuple[Setting, ...] = (
    Setting("port", "ADDR", Address("", 10800), address, "where chargers connect: a port, or HOST:PORT"),
    Setting(
        "tls",
        "TLS_CERTIFICATE",
        "",
        text,
        "a PEM file with the certificate to show to chargers, those that vouch for it, and its private key; then their port speaks TLS only",
    ),
    Setting("tls_key", "TLS_KEY", "", text, "the PEM file with the private key, if it is another one"),
    Setting("http", "HTTP_ADDR", Address("127.0.0.1", 10801), address, "where operators' HTTP is served: a port, or HOST:PORT"),
    Setting(
        "http_token", "HTTP_TOKEN", "", text, "the bearer token that operators' HTTP asks for; needed unless it listens on loopback only"
    ),
    Setting(
        "redis",
        "REDIS_ADDR",
        "",
        redis_url,
        "the Redis or Valkey: HOST:PORT, or a redis://, rediss://, unix:// or redis+sentinel:// URL; when none is named, 127.0.0.1:6379, or else an embedded one",
    ),
    Setting("redis_db", "REDIS_DB", 0, whole_number(0, 1_000_000), "the number of its database"),
    Setting(
        "versions",
        "OCPP_VERSIONS",
        ("1.6", "2.0.1", "2.1"),
        words("1.6", "2.0.1", "2.1"),
        "the versions of OCPP that chargers may speak, with commas between them",
    ),
    Setting("legacy", "OCPP_LEGACY", False, switch, "whether chargers that offer only ocpp1.2 or ocpp1.5 are let in, and served as 1.6"),
    Setting("data", "OCPP_DATA", "ocpp-data", text, "the directory of the embedded Valkey's data"),
    Setting(
        "spool",
        "OCPP_SPOOL",
        "ocpp-spool",
        spool,
        "the directory where events wait, on the disk, while Redis cannot take them; no: they wait in memory, and nobody is answered",
    ),
    Setting("spool_limit", "OCPP_SPOOL_LIMIT", 4096, whole_number(1, 1 << 24), "how large the spool may grow, in MiB"),
    Setting(
        "durability",
        "DURABILITY",
        "redis",
        choice("redis", "fsync", "replica"),
        "when an event counts as safe: Redis has it; it is synced to a disk (Redis's own, by WAITAOF, or else the spool's); a replica has it (WAIT)",
    ),
    Setting("events", "EVENTS_LIST", "events", name, "the list that events are appended to"),
    Setting("commands", "COMMANDS_LIST", "commands", name, "the list that commands are taken from"),
    Setting("prefix", "OCPP_PREFIX", "ocpp", name, "what the names of the gateway's own keys in Redis begin with"),
    Setting("name", "GATEWAY_NAME", "", name, "this gateway's name within the fleet; by default the host's name and the port"),
    Setting("base_url", "BASE_URL", "", base_url, "the backend; without one the gateway gives out transaction ids itself"),
    Setting(
        "authorize", "AUTHORIZE", "accept", choice("accept", "backend"), "who decides on tags: accept (everybody may charge) or backend"
    ),
    Setting("backend_timeout", "BACKEND_TIMEOUT", 3.0, seconds, "seconds that the backend has for one whole exchange"),
    Setting(
        "backend_policy",
        "BACKEND_POLICY",
        "provisional",
        choice("provisional", "deny"),
        "what becomes of a start while the backend is of no use: provisional (it goes on under an id of the gateway's own) or deny",
    ),
    Setting(
        "backend_actions",
        "BACKEND_ACTIONS",
        (),
        words(),
        "OCPP actions whose answers the backend gives itself (POST /api/ocpp/ACTION/), with commas between them",
    ),
    Setting("backend_limit", "BACKEND_LIMIT", 64, whole_number(1, 10_000), "how many requests the backend gets at once"),
    Setting(
        "heartbeat_interval",
        "HEARTBEAT_INTERVAL",
        300,
        whole_number(1, 86_400),
        "seconds between heartbeats, as told to chargers at BootNotification",
    ),
    Setting(
        "boot_status",
        "BOOT_STATUS",
        "Accepted",
        choice("Accepted", "Pending", "Rejected"),
        "the answer to a charger's first BootNotification",
    ),
    Setting("call_timeout", "CALL_TIMEOUT", 30.0, seconds, "seconds that a charger has to answer a command"),
    Setting(
        "ping_interval", "PING_INTERVAL", 30.0, seconds, "seconds of a charger's silence after which it is pinged (give or take a fifth)"
    ),
    Setting("ping_timeout", "PING_TIMEOUT", 30.0, seconds, "seconds that it has to give a sign of life"),
    Setting("handshake_timeout", "HANDSHAKE_TIMEOUT", 15.0, seconds, "seconds that a connection has to become a WebSocket"),
    Setting("max_message", "MAX_MESSAGE", 1 << 20, whole_number(1024, 1 << 30), "the longest message taken from a charger, in bytes"),
    Setting("max_identity", "MAX_IDENTITY", 48, whole_number(1, 255), "the longest charger identity, in characters"),
    Setting(
        "subprotocol_mismatch",
        "SUBPROTOCOL_MISMATCH",
        "refuse",
        choice("refuse", "close"),
        "no common subprotocol: refuse the handshake, or complete it and close at once, as OCPP-J has it",
    ),
    Setting(
        "default_subprotocol",
        "DEFAULT_SUBPROTOCOL",
        "",
        choice("ocpp1.6"),
        "the version of chargers that offer no subprotocol at all; by default they are a mismatch",
    ),
    Setting(
        "validation",
        "VALIDATION",
        "tolerant",
        choice("tolerant", "strict"),
        "a message that breaks its schema: let in with violations on its event, or answered with a CALLERROR",
    ),
    Setting(
        "tolerance",
        "OCPP_TOLERANCE",
        "",
        text,
        "a file of exceptions from --validation, by charger, vendor, model or action (docs/tolerance.md)",
    ),
    Setting("event_payload", "EVENT_PAYLOAD", True, switch, "whether events carry the charger's own payload"),
    Setting("handlers", "OCPP_HANDLERS", "", text, "the name of the handlers plugin to use instead of the gateway's own"),
    Setting(
        "workers",
        "OCPP_WORKERS",
        1,
        whole_number(1, 64),
        "how many processes share the chargers' port; one for each core that is to be used",
    ),
    Setting("drain", "DRAIN_TIMEOUT", 8.0, seconds, "seconds that a stopping gateway gives to what is in flight"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force; the table says what each means."""

    port: Address = Address("", 10800)
    tls: str = ""
    tls_key: str = ""
    http: Address = Address("127.0.0.1", 10801)
    http_token: str = ""
    redis: str = ""
    redis_db: int = 0
    versions: tuple[str, ...] = ("1.6", "2.0.1", "2.1")
    legacy: bool = False
    data: str = "ocpp-data"
    spool: str = "ocpp-spool"
    spool_limit: int = 4096
    durability: str = "redis"
    events: str = "events"
    commands: str = "commands"
    prefix: str = "ocpp"
    name: str = ""
    base_url: str = ""
    authorize: str = "accept"
    backend_timeout: float = 3.0
    backend_policy: str = "provisional"
    backend_actions: tuple[str, ...] = ()
    backend_limit: int = 64
    heartbeat_interval: int = 300
    boot_status: str = "Accepted"
    call_timeout: float = 30.0
    ping_interval: float = 30.0
    ping_timeout: float = 30.0
    handshake_timeout: float = 15.0
    max_message: int = 1 << 20
    max_identity: int = 48
    subprotocol_mismatch: str = "refuse"
    default_subprotocol: str = ""
    validation: str = "tolerant"
    tolerance: str = ""
    event_payload: bool = True
    handlers: str = ""
    workers: int = 1
    drain: float = 8.0


def read(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings that options and environment ask for; an option wins over its variable, an empty variable is none.

    Raises:
        Wrong: a value makes no sense, or two do not go together; the text begins with the option's or variable's name.
    """
    values: dict[str, Any] = {}
    for row in TABLE:
        given, said = options.get(row.name), row.option
        if given is None and environment.get(row.variable):
            given, said = environment[row.variable], row.variable
        if given is not None and (given or row.default == ""):
            try:
                values[row.name] = row.read(given) if given else ""
            except InvalidSetting as why:
                shown = re.sub(r"(?<=//).*@", "***@", given)  # a password may be in it
                raise InvalidSetting(f"{said}: {why}, not {shown!r}") from None
    settings = Settings(**values)
    if not settings.http.loopback and not settings.http_token:
        raise InvalidSetting(f"--http: {settings.http} can be reached from other machines, so --http-token (HTTP_TOKEN) must be set")
    if settings.tls_key and not settings.tls:
        raise InvalidSetting("--tls-key: needs --tls (TLS_CERTIFICATE), the certificate that the key belongs to")
    if settings.durability == "fsync" and not settings.spool:
        raise InvalidSetting(
            "--durability: fsync needs a spool, for a Redis that does not sync what it is told; leave --spool at its default"
        )
    if settings.authorize == "backend" and not settings.base_url:
        raise InvalidSetting("--authorize: backend needs --base-url (BASE_URL) to say where it is")
    if len(settings.name) > longest_name(settings.workers):
        raise InvalidSetting(
            f"--name: with --workers {settings.workers} it may have {longest_name(settings.workers)} characters, since each adds its number"
        )
    return settings


def longest_name(workers: int) -> int:
    """How long a gateway's name may be, which so many workers add their numbers to."""
    return NAME if workers == 1 else NAME - len(f"-{workers}")


def worker_settings(settings: Settings, number: int) -> Settings:
    """The settings of one of several workers: a gateway of its own name, with directories of its own."""
    directories: dict[str, Any] = {each: f"{path}/{number}" for each in OWN if (path := getattr(settings, each, ""))}
    return replace(settings, workers=1, name=f"{settings.name}-{number}", **directories)


assert [field.name for field in fields(Settings)] == [row.name for row in TABLE]
