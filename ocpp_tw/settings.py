"""Every setting of the gateway in one table: its option, its environment variable, its default and its meaning.

Knows neither how they are read (`ocpp_tw.read_settings`) nor how a value is written (`ocpp_tw.setting_types`).
The table in docs/operations.md is made from this one (`make docs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from . import setting_types as parse
from .setting_types import MAX_NAME, Address, InvalidSetting, setting

__all__ = ["TABLE", "Address", "InvalidSetting", "Setting", "Settings", "max_name_length", "worker_settings"]

PER_WORKER_DIRECTORIES = ("spool",)
"""Settings that name a directory which two gateways cannot share."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force, each with its variable, default, parser and meaning."""

    port: Address = setting("ADDR", Address("", 10800), parse.address, "where chargers connect: a port, or HOST:PORT")
    tls: tuple[str, ...] = setting(
        "TLS_CERTIFICATE",
        (),
        parse.files,
        "the PEM file with the certificate shown to chargers, its chain and its private key, or two with a comma between them, one with an RSA and one with an EC key; with it, the chargers' port speaks TLS",
    )
    tls_key: tuple[str, ...] = setting(
        "TLS_KEY", (), parse.files, "the PEM file with the private key, if it is a separate file; of two, in the order of --tls"
    )
    tls_only: bool = setting(
        "TLS_ONLY",
        True,
        parse.switch,
        "with --tls, whether the chargers' port speaks TLS only (wss); no: ws as well, so that a charger that begins to use TLS keeps host and port",
    )
    tls_client_ca: tuple[str, ...] = setting(
        "TLS_CLIENT_CA",
        (),
        parse.files,
        "PEM files with the authorities that have issued chargers' certificates, with commas between them; with it, chargers are asked for a certificate",
    )
    tls_client_crl: tuple[str, ...] = setting(
        "TLS_CLIENT_CRL",
        (),
        parse.files,
        "files with the revocation lists of those authorities, with commas between them; with it, a certificate is trusted only if a valid list of each authority above it does not have it",
    )
    trusted_proxies: tuple[str, ...] = setting(
        "TRUSTED_PROXIES",
        (),
        parse.networks,
        "addresses and networks (10.1.0.0/24) of the proxies that chargers come through, with commas between them: what they say of the charger's address, TLS and certificate is believed",
    )
    proxy_protocol: bool = setting(
        "PROXY_PROTOCOL",
        False,
        parse.switch,
        "whether these proxies say it by the PROXY protocol, version 1 or 2, with which each of their connections then has to begin; no: by X-Forwarded-For and X-Forwarded-Proto, or Forwarded",
    )
    proxy_certificate_header: str = setting(
        "PROXY_CERTIFICATE_HEADER",
        "",
        parse.header,
        "the header in which they send the charger's certificate, such as X-SSL-Client-Cert; it is verified by --tls-client-ca",
    )
    security_profile: str = setting(
        "SECURITY_PROFILE",
        "",
        parse.choice("0", "1", "2", "3"),
        "the least of OCPP's security profiles that chargers must have: 0 none, 1 a password, 2 a password over TLS, 3 a certificate; 0 if it is not said",
    )
    unknown_chargers: str = setting(
        "UNKNOWN_CHARGERS",
        "accept",
        parse.choice("accept", "pending", "refuse"),
        "what becomes of chargers that nobody has registered: accept, pending (their BootNotification is answered so) or refuse",
    )
    register: str = setting(
        "CHARGER_REGISTER",
        "gateway",
        parse.choice("gateway", "backend"),
        "who says which chargers there are: gateway (PUT /api/chargers/ID), or the backend as well, which is asked in each handshake (GET /api/charger/ID/)",
    )
    client_organization: str = setting(
        "CLIENT_ORGANIZATION", "", parse.text, "the organization (O) that chargers' certificates must name; by default any"
    )
    credentials_key: str = setting(
        "CREDENTIALS_KEY",
        "ocpp-credentials.key",
        parse.text,
        "the file with the key that chargers' passwords are stored under, made when it is first needed; all gateways of a fleet need the same",
    )
    ca: str = setting(
        "CA",
        "",
        parse.text,
        "the PEM file with the certificate and the key of an authority of your own, with which the certificates that chargers ask for are signed (`ocpp-tw ca init` makes one); without it they are the backend's to sign",
    )
    ca_days: int = setting("CA_DAYS", 365, parse.whole_number(1, 3650), "days for which certificates signed with --ca are valid")
    http: Address = setting(
        "HTTP_ADDR", Address("127.0.0.1", 10801), parse.address, "where operators' HTTP is served: a port, or HOST:PORT"
    )
    http_token: str = setting(
        "HTTP_TOKEN",
        "",
        parse.text,
        "a bearer token for operators' HTTP that may be used for all of it; this or --http-tokens is needed unless it listens on loopback only",
    )
    http_tokens: str = setting(
        "HTTP_TOKENS",
        "",
        parse.text,
        "the file with named bearer tokens and their roles, of which it has the digests only (`ocpp-tw token`); beside --http-token, or instead",
    )
    http_tls: tuple[str, ...] = setting(
        "HTTP_TLS_CERTIFICATE",
        (),
        parse.files,
        "the PEM file with the certificate shown to operators, its chain and its private key, or two as for --tls; with it, operators' HTTP is HTTPS only",
    )
    http_tls_key: tuple[str, ...] = setting("HTTP_TLS_KEY", (), parse.files, "the PEM file with its private key, if it is a separate file")
    http_connections: int = setting(
        "HTTP_CONNECTIONS",
        512,
        parse.whole_number(4, 100_000),
        "the most connections to operators' HTTP at once; never more than a quarter of the process's file descriptors",
    )
    http_commands: int = setting(
        "HTTP_COMMANDS",
        1000,
        parse.whole_number(1, 1_000_000),
        "the most commands by HTTP that may wait for their results, in each process",
    )
    redis: str = setting(
        "REDIS_ADDR",
        "",
        parse.redis_url,
        "the Redis or Valkey: HOST:PORT, or a redis://, rediss://, unix:// or redis+sentinel:// URL; when none is named, the one that answers at 127.0.0.1:6379, or else an embedded one",
    )
    redis_db: int = setting("REDIS_DB", 0, parse.whole_number(0, 1_000_000), "the number of the Redis database")
    versions: tuple[str, ...] = setting(
        "OCPP_VERSIONS",
        ("1.6", "2.0.1", "2.1"),
        parse.words("1.6", "2.0.1", "2.1"),
        "the versions of OCPP that chargers may speak, with commas between them",
    )
    legacy: bool = setting(
        "OCPP_LEGACY", False, parse.switch, "whether chargers that offer only ocpp1.2 or ocpp1.5 are accepted, and served as 1.6"
    )
    data: str = setting("OCPP_DATA", "ocpp-data", parse.text, "the directory of the embedded Valkey's data")
    spool: str = setting(
        "OCPP_SPOOL",
        "ocpp-spool",
        parse.spool,
        "the directory where events are kept on disk while Redis cannot take them; no: they wait in memory, and chargers get no answers until it can",
    )
    spool_limit: int = setting("OCPP_SPOOL_LIMIT", 4096, parse.whole_number(1, 1 << 24), "the largest size of the spool, in MiB")
    durability: str = setting(
        "DURABILITY",
        "redis",
        parse.choice("redis", "fsync", "replica"),
        "when an event counts as durable: Redis has it; it is synced to a disk (Redis's own, by WAITAOF, or else the spool's); a replica has it (WAIT)",
    )
    events: str = setting("EVENTS_LIST", "events", parse.name, "the list that events are appended to")
    commands: str = setting("COMMANDS_LIST", "commands", parse.name, "the list that commands are taken from")
    prefix: str = setting("OCPP_PREFIX", "ocpp", parse.name, "the prefix of the gateway's own keys in Redis")
    name: str = setting("GATEWAY_NAME", "", parse.name, "this gateway's name within the fleet; by default the host's name and the port")
    base_url: str = setting(
        "BASE_URL", "", parse.base_url, "the URL of the backend; without one the gateway allocates transaction ids itself"
    )
    authorize: str = setting(
        "AUTHORIZE", "accept", parse.choice("accept", "backend"), "who authorizes tags: accept (every tag may charge) or backend"
    )
    backend_timeout: float = setting(
        "BACKEND_TIMEOUT", 3.0, parse.seconds, "seconds that the backend has for one request, its answer included"
    )
    backend_policy: str = setting(
        "BACKEND_POLICY",
        "provisional",
        parse.choice("provisional", "deny"),
        "what happens to a start while the backend is unavailable: provisional (it goes ahead under an id of the gateway's own) or deny",
    )
    backend_actions: tuple[str, ...] = setting(
        "BACKEND_ACTIONS",
        (),
        parse.words(),
        "OCPP actions whose answers the backend gives or adds to (POST /api/ocpp/ACTION/), with commas between them",
    )
    backend_limit: int = setting("BACKEND_LIMIT", 64, parse.whole_number(1, 10_000), "the most requests in flight to the backend")
    heartbeat_interval: int = setting(
        "HEARTBEAT_INTERVAL",
        300,
        parse.whole_number(1, 86_400),
        "seconds between heartbeats, as given to chargers in the answer to BootNotification",
    )
    boot_status: str = setting(
        "BOOT_STATUS", "Accepted", parse.choice("Accepted", "Pending", "Rejected"), "the answer to a charger's first BootNotification"
    )
    call_timeout: float = setting("CALL_TIMEOUT", 30.0, parse.seconds, "seconds that a charger has to answer a command")
    ping_interval: float = setting(
        "PING_INTERVAL", 30.0, parse.seconds, "seconds of a charger's silence after which it is pinged (give or take a fifth)"
    )
    ping_timeout: float = setting("PING_TIMEOUT", 30.0, parse.seconds, "seconds that a pinged charger has to send anything")
    handshake_timeout: float = setting(
        "HANDSHAKE_TIMEOUT",
        5.0,
        parse.seconds,
        "seconds that a charger has to complete its handshakes, TLS and WebSocket together, besides what the gateway and the network need",
    )
    max_connections: int = setting(
        "MAX_CONNECTIONS",
        50_000,
        parse.whole_number(1, 1_000_000),
        "the most connections of chargers, in each process; fewer where it may not have as many file descriptors",
    )
    max_connections_per_address: int = setting(
        "MAX_CONNECTIONS_PER_ADDRESS",
        10_000,
        parse.whole_number(1, 1_000_000),
        "the most of them from one address; three quarters of all at most, unless it is no less than --max-connections (behind a proxy)",
    )
    max_handshakes: int = setting(
        "MAX_HANDSHAKES", 8000, parse.whole_number(1, 1_000_000), "the most connections whose handshake is not complete, in each process"
    )
    max_handshakes_per_address: int = setting(
        "MAX_HANDSHAKES_PER_ADDRESS", 4000, parse.whole_number(1, 1_000_000), "the most of those from one address"
    )
    max_message: int = setting(
        "MAX_MESSAGE", 1 << 20, parse.whole_number(1024, 1 << 30), "the longest message accepted from a charger, in bytes"
    )
    message_rate: int = setting(
        "MESSAGE_RATE",
        100,
        parse.whole_number(0, 1_000_000),
        "messages a second that a charger may send in the long run, and a hundred times as many at once; 0: any number",
    )
    byte_rate: int = setting(
        "BYTE_RATE",
        128 << 10,
        parse.whole_number(0, 1 << 30),
        "bytes a second that a charger may send in the long run, and 64 times as many at once; 0: any number",
    )
    large_messages: int = setting(
        "LARGE_MESSAGES",
        32,
        parse.whole_number(1, 4096),
        "MiB of messages over 64 KiB that are received, or wait to be processed, at a time; a quarter of that from one address",
    )
    max_identity: int = setting("MAX_IDENTITY", 48, parse.whole_number(1, 255), "the longest charger identity, in characters")
    path: str = setting(
        "CHARGER_PATH",
        "",
        parse.path,
        "the only path below which chargers are served, such as /ocpp: a URL must have it, a slash, the identity and nothing else; by default any path is",
    )
    subprotocol_mismatch: str = setting(
        "SUBPROTOCOL_MISMATCH",
        "refuse",
        parse.choice("refuse", "close"),
        "without a common subprotocol: refuse the handshake, or complete it and close at once, as OCPP-J specifies",
    )
    default_subprotocol: str = setting(
        "DEFAULT_SUBPROTOCOL",
        "",
        parse.choice("ocpp1.6"),
        "the version of chargers that offer no subprotocol at all; by default they are a mismatch",
    )
    validation: str = setting(
        "VALIDATION",
        "tolerant",
        parse.choice("tolerant", "strict"),
        "a message that breaks its schema: accepted with violations on its event, or answered with a CALLERROR",
    )
    tolerance: str = setting(
        "OCPP_TOLERANCE",
        "",
        parse.text,
        "the file of exceptions to --validation, by charger, vendor, model or action (docs/tolerance.md)",
    )
    history: int = setting(
        "OCPP_HISTORY",
        10_000,
        parse.whole_number(0, 10_000_000),
        "how many of each are kept for operators to look at: transactions that have ended, results of commands, troubles; some 300 bytes each in Redis; 0: none",
    )
    otel: bool = setting(
        "OCPP_OTEL",
        False,
        parse.switch,
        "whether commands and questions to the backend are traced with OpenTelemetry, as its own variables (`OTEL_…`) say; needs `pip install ocpp_tw[otel]`",
    )
    event_payload: bool = setting("EVENT_PAYLOAD", True, parse.switch, "whether events carry the charger's own payload")
    handlers: str = setting("OCPP_HANDLERS", "", parse.text, "the name of the handlers plugin to use instead of the gateway's own")
    tap: int = setting(
        "OCPP_TAP",
        64,
        parse.whole_number(0, 1 << 20),
        "MiB of the last frames and events that each process keeps in memory for operators to look at; 0: none",
    )
    workers: int = setting(
        "OCPP_WORKERS", 1, parse.whole_number(1, 64), "how many processes share the chargers' port; one for each core that is to be used"
    )
    drain: float = setting("DRAIN_TIMEOUT", 8.0, parse.seconds, "seconds that a stopping gateway gives to what is in flight")

    @property
    def open_doors(self) -> list[str]:
        """What anybody can do who reaches the gateway, in words; what was asked for by name is not among it, nor what only this machine can do."""
        if self.security_profile or self.port.loopback:
            return []
        return ["chargers are not authenticated (--security-profile)"]


class Setting(NamedTuple):
    """One row of the table."""

    name: str
    variable: str
    default: Any
    parse: Callable[[str], Any]
    meaning: str

    @property
    def option(self) -> str:
        """The name with dashes."""
        return "--" + self.name.replace("_", "-")

    @property
    def typed(self) -> str:
        """The default as one types it; "" when there is none."""
        if isinstance(self.default, bool):
            return "yes" if self.default else "no"
        if isinstance(self.default, float):
            return f"{self.default:g}"
        return ",".join(self.default) if type(self.default) is tuple else str(self.default)


TABLE: tuple[Setting, ...] = tuple(Setting(field.name, default=field.default, **field.metadata) for field in fields(Settings))


def max_name_length(workers: int) -> int:
    """The longest name of a gateway with that many workers, each of which appends its number to it."""
    return MAX_NAME if workers == 1 else MAX_NAME - len(f"-{workers}")


def worker_settings(settings: Settings, number: int) -> Settings:
    """The settings of one of several workers: a gateway with a name and directories of its own."""
    directories: dict[str, Any] = {each: f"{path}/{number}" for each in PER_WORKER_DIRECTORIES if (path := getattr(settings, each, ""))}
    # operators' connections are limited, and admitted, by the one process that they reach
    admitted: dict[str, Any] = {"http_token": "", "http_tokens": "", "http_tls": (), "http_tls_key": ()}
    return replace(settings, workers=1, http_connections=0, name=f"{settings.name}-{number}", **admitted, **directories)
