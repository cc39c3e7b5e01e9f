"""What operators' HTTP is opened with, by the settings: the tokens, and the certificate of HTTPS; both are read again when their files change.

Knows neither routes nor who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..operators.failed_logins import FailedLogin
from ..operators.guard import Guard
from ..operators.tokens import Tokens
from ..settings import InvalidSetting, Settings
from ..watched import WatchedFiles

log = Logger()

CHECK_INTERVAL = 60.0
"""Seconds between two looks whether the certificate's files have changed."""


class OperatorsDoor:
    """One for a gateway, or for the front of several workers.

    Raises:
        InvalidSetting: a file cannot be used.
    """

    def __init__(self, settings: Settings, clock: IReactorTime) -> None:
        self._clock = clock
        self._tokens = Tokens(settings.http_token, settings.http_tokens, clock)
        self._certificate = OperatorsCertificate(settings.http_tls, settings.http_tls_key, clock) if settings.http_tls else None
        self.clients = "operators' HTTPS" if self._certificate else "operators' HTTP"

    def guard(self, failed: Callable[[FailedLogin], None]) -> Guard:
        """Who lets operators in; ``failed`` is told of wrong tokens."""
        return Guard(self._tokens, self._clock, tls=self._certificate is not None, failed=failed)

    def served(self, site: IProtocolFactory) -> Any:
        """The site as it is to be listened with."""
        return site if self._certificate is None else self._certificate.served(site)

    def start(self) -> None:
        """Begin to look at the files."""
        self._tokens.start()
        if self._certificate is not None:
            self._certificate.watched.start()

    def stop(self) -> None:
        """Look no more."""
        self._tokens.stop()
        if self._certificate is not None:
            self._certificate.watched.stop()

    def reload(self) -> None:
        """Read the files again, whether or not they have changed."""
        self._tokens.reload()
        if self._certificate is not None:
            self._certificate.reload()


@implementer(IOpenSSLServerConnectionCreator)
class OperatorsCertificate:
    """The certificate of new connections to operators' HTTPS. Existing ones keep the one they began with."""

    def __init__(self, chain: str, key: str, clock: IReactorTime) -> None:
        # absolute: twistd may change its directory before they are read again
        self._files = Path(chain).absolute(), Path(key or chain).absolute()
        self._clock = clock
        self.watched = WatchedFiles(self._files, clock, CHECK_INTERVAL, self.reload)
        self._context = self._load()

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def served(self, site: IProtocolFactory) -> Any:
        """The site over TLS."""
        # imported only if needed, as below: the parent of workers is to stay small
        from ..websocket.tls import TlsFactory

        certificate: Any = self
        return TlsFactory(certificate, site, self._clock)

    def reload(self) -> None:
        """Load the files again. If they are not usable, the certificate in use stays."""
        self.watched.remember()
        try:
            self._context = self._load()
        except InvalidSetting as why:
            log.error("certificate of operators' HTTPS not reloaded, the one in use stays: {why}", why=str(why))

    def _load(self) -> SSL.Context:
        from ..websocket.certificate import load, tls_context

        try:
            loaded = load(*self._files)
            context = tls_context(loaded)
        except InvalidSetting as why:  # the same files as chargers' have, under options of their own
            raise InvalidSetting(str(why).replace("--tls", "--http-tls")) from None
        until = loaded.chain[0].not_valid_after_utc
        valid = loaded.chain[0].not_valid_before_utc <= datetime.now(UTC) <= until
        said = "valid until" if valid else "NOT VALID NOW, but until"
        (log.info if valid else log.warn)(
            "certificate presented to operators: {said} {until} UTC", said=said, until=f"{until:%Y-%m-%d %H:%M}"
        )
        return context
