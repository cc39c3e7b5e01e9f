"""The files of an authority for chargers' certificates: read at the start and when they change, and made by ``ocpp-tw ca init``.

Knows nothing of what is issued.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.internet.interfaces import IReactorTime

from ..core.authority import Authority, make
from ..log import Logger
from ..settings import InvalidSetting, Settings
from ..watched import WatchedFiles, minute
from ..websocket.pem_files import load

log = Logger()

BOTH, ROOT = "ca.pem", "root.pem"
"""The files that are made: the certificate with its key, for --ca, and the certificate alone, for --tls-client-ca and for chargers."""


class AuthorityFile(WatchedFiles):
    """The file of the settings, and the ``authority`` that it makes. A charger that asks is answered with what is in use then.

    Raises:
        InvalidSetting: it cannot be used, or others can read it.
    """

    kept = "authority for chargers' certificates not reloaded, the one in use stays"

    def __init__(self, file: str, days: int, clock: IReactorTime) -> None:
        super().__init__([file], clock)
        self.authority = Authority(*_read(self._files[0]), days, time.time)

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime) -> AuthorityFile | None:
        """The one that the settings name, if any."""
        return cls(settings.ca, settings.ca_days, clock) if settings.ca else None

    def _load(self) -> None:
        key, chain = _read(self._files[0])
        self.authority.replace(key, chain)
        log.info("authority for chargers' certificates reloaded: valid until {end}", end=minute(chain[0].not_valid_after_utc))


def _read(file: Path) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, Sequence[x509.Certificate]]:
    try:
        found = load(file, file)
        mode = file.stat().st_mode
    except InvalidSetting as why:
        raise InvalidSetting(str(why).replace("--tls-key", "--ca").replace("--tls", "--ca")) from None
    except OSError as why:
        raise InvalidSetting(f"--ca: {file} cannot be read: {why.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise InvalidSetting(f"--ca: {file} has a key with which certificates can be issued, and other users can read it: chmod 600")
    try:
        is_authority = found.chain[0].extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_authority = False
    if not is_authority:
        raise InvalidSetting(f"--ca: the first certificate in {file} is no authority (CA:TRUE); `ocpp-tw ca init` makes one")
    if not isinstance(found.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise InvalidSetting(f"--ca: the key in {file} is neither EC nor RSA, which all chargers understand")
    return found.key, found.chain


def make_authority(directory: Path, name: str, organization: str) -> tuple[Path, Path]:
    """Make a new one in that directory; the two files. Raises `OSError`: FileExistsError if there is one."""
    certificate, key = make(name, organization, time.time())
    directory.mkdir(parents=True, exist_ok=True)
    both, root = directory / BOTH, directory / ROOT
    for file, text, mode in ((both, certificate + key, 0o600), (root, certificate, 0o644)):
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
            opened.write(text)
    return both, root
