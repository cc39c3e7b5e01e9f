"""The address of a Redis: parsed from a URL, made into an endpoint, and probed.

Knows nothing of what is sent to it afterwards.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure

CONNECT_TIMEOUT = 2.0
"""Seconds that connecting may take; then it fails. Short: after an outage of the network the next attempt is the one that works."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis or Valkey; with a ``path`` it is a unix socket, with a ``service`` whichever server the ``sentinels`` say is its master."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    tls: bool = False
    username: str = ""
    password: str = ""
    db: int = 0
    service: str = ""
    sentinels: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, url: str, db: int = 0) -> RedisAddress:
        """Parse ``redis://[user:password@]host[:port][/db]``, ``rediss://…``, ``unix:///path`` or
        ``redis+sentinel://[user:password@]host[:port],host[:port]…/service[/db]``; ``db`` is for a URL that has none.

        Raises:
            ValueError: it is no such URL.
        """
        if url.partition("://")[0] in ("redis+sentinel", "rediss+sentinel"):
            return cls._of_sentinels(url, db)
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "unix":
            # unix://relative.sock is read as a host by the URL's grammar.
            path = unquote((parts.netloc.rpartition("@")[2]) + parts.path)
            if not path:
                raise ValueError(f"{url!r} names no socket")
            return cls(path=path, username=user, password=password, db=db)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError(f"{url!r} is no redis://, rediss:// or unix:// URL")
        if named := parts.path.strip("/"):
            db = int(named)
        return cls(parts.hostname, parts.port or 6379, "", parts.scheme == "rediss", user, password, db)

    @classmethod
    def _of_sentinels(cls, url: str, db: int) -> RedisAddress:
        scheme, _, rest = url.partition("://")
        hosts, _, path = rest.partition("/")
        login, _, hosts = hosts.rpartition("@")
        user, _, password = login.partition(":")
        service, _, named = path.strip("/").partition("/")
        sentinels = tuple((part.hostname or "", part.port or 26379) for part in (urlsplit(f"//{each}") for each in hosts.split(",")))
        if not service or not all(host for host, _ in sentinels):
            raise ValueError(f"{scheme}:// needs Sentinels and a service: {scheme}://host:26379,host:26379/service")
        host, port = sentinels[0]
        db = int(named) if named else db
        return cls(host, port, "", scheme == "rediss+sentinel", unquote(user), unquote(password), db, unquote(service), sentinels)

    def endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """An endpoint to connect to; over TLS the certificate must be the host's, by a CA that the platform trusts."""
        if self.path:
            return UNIXClientEndpoint(reactor, self.path, timeout=CONNECT_TIMEOUT)
        plain: IStreamClientEndpoint
        try:
            version = ipaddress.ip_address(self.host).version
        except ValueError:
            plain = HostnameEndpoint(reactor, self.host, self.port, timeout=CONNECT_TIMEOUT)
        else:
            # An address needs no resolver, which would take a thread for each attempt.
            plain = (TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint)(reactor, self.host, self.port, timeout=CONNECT_TIMEOUT)
        return wrapClientTLS(optionsForClientTLS(self.host), plain) if self.tls else plain

    def __str__(self) -> str:
        """For the log: without the password."""
        if self.path:
            return f"unix://{self.path}"
        if self.service:
            hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.sentinels)
            return f"{'rediss' if self.tls else 'redis'}+sentinel://{hosts}/{self.service}/{self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.db}"


class _Exchange(Protocol):
    """Sends one request and collects what is received, until ``enough`` is in it."""

    def __init__(self, text: bytes, enough: bytes) -> None:
        self._text, self._enough, self.received = text, enough, b""
        self.answer: Deferred[bytes] = Deferred(lambda _: self._leave())

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._text)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self._enough in self.received and not self.answer.called:
            self._leave()

    def _leave(self) -> None:
        cast(Any, self.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.callback(self.received)


async def exchange(reactor: Any, address: RedisAddress, text: bytes, enough: bytes, within: float = 1.0) -> bytes:
    """Connect, send ``text``, and return what was received when ``enough`` was in it, or the connection or ``within`` seconds ended.

    b"" from what cannot be reached. Raises CancelledError when it is cancelled, and nothing else.
    """
    protocols: list[_Exchange] = []

    async def ask() -> bytes:
        factory = Factory.forProtocol(lambda: _Exchange(text, enough))
        factory.noisy = False
        protocol = await address.endpoint(reactor).connect(factory)
        assert isinstance(protocol, _Exchange)
        protocols.append(protocol)
        return await protocol.answer

    expired: list[bool] = []
    exchanging = Deferred.fromCoroutine(ask())

    def expire() -> None:
        expired.append(True)
        exchanging.cancel()

    timer = reactor.callLater(within, expire)
    try:
        return await exchanging
    except (CancelledError, ConnectingCancelledError):
        if not expired:
            raise CancelledError from None
    except Exception:
        # Whatever is wrong with it, it cannot be used.
        return protocols[0].received if protocols else b""
    finally:
        if timer.active():
            timer.cancel()
    return protocols[0].received if protocols else b""


async def probe(reactor: Any, url: str = "redis://127.0.0.1:6379", within: float = 1.0) -> bool:
    """Whether a Redis answers at the URL within that many seconds, even if only that it needs a password."""
    received = await exchange(reactor, RedisAddress.of(url), b"*1\r\n$4\r\nPING\r\n", b"\r\n", within)
    return received.startswith((b"+PONG", b"-"))
