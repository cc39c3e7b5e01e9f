"""What operators' HTTP is opened with, by the settings: the tokens, and the certificate of HTTPS; both are read again when their files change.

Knows neither routes nor who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from ..operators.failed_logins import FailedLogin
from ..operators.guard import Guard
from ..operators.tokens import Tokens
from ..settings import Settings
from ..watched import WatchedFiles

if TYPE_CHECKING:
    from ..websocket.certificate import Certificate


class OperatorsDoor:
    """One for a gateway, or for the front of several workers. ``certificate`` is that of HTTPS, None without it.

    Raises:
        InvalidSetting: a file cannot be used.
    """

    def __init__(self, settings: Settings, clock: IReactorTime) -> None:
        self._clock = clock
        self._tokens = Tokens(settings.http_token, settings.http_tokens, clock)
        self.certificate = _certificate(settings, clock)
        self._files: list[WatchedFiles] = [self._tokens] if self.certificate is None else [self._tokens, self.certificate]
        self.clients = "operators' HTTPS" if self.certificate else "operators' HTTP"

    def guard(self, failed: Callable[[FailedLogin], None]) -> Guard:
        """Who lets operators in; ``failed`` is told of wrong tokens."""
        return Guard(self._tokens, self._clock, tls=self.certificate is not None, failed=failed)

    def served(self, site: IProtocolFactory) -> Any:
        """The site as it is to be listened with."""
        if self.certificate is None:
            return site
        from ..websocket.tls import TlsFactory

        return TlsFactory(self.certificate, site, self._clock)

    def start(self) -> None:
        """Begin to look at the files."""
        for each in self._files:
            each.start()

    def stop(self) -> None:
        """Look no more."""
        for each in self._files:
            each.stop()

    def reload(self) -> None:
        """Read the files again, whether or not they have changed."""
        for each in self._files:
            each.reload()


def _certificate(settings: Settings, clock: IReactorTime) -> Certificate | None:
    if not settings.http_tls:
        return None
    from ..websocket.certificate import Certificate  # only if needed, as below: the parent of workers is to stay small

    return Certificate(settings.http_tls, settings.http_tls_key, clock, clients="operators", option="--http-tls")
