"""The files of an authority for chargers' certificates: read at the start, and made by ``ocpp-tw ca init``.

Knows nothing of what is issued.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import BasicConstraints, ExtensionNotFound

from ..core.authority import Authority, make
from ..settings import InvalidSetting, Settings
from ..websocket.pem_files import load

BOTH, ROOT = "ca.pem", "root.pem"
"""The files that are made: the certificate with its key, for --ca, and the certificate alone, for --tls-client-ca and for chargers."""


def authority_of(settings: Settings) -> Authority | None:
    """The authority that the settings name, if any.

    Raises:
        InvalidSetting: it cannot be used, or others can read it.
    """
    if not settings.ca:
        return None
    file = Path(settings.ca).absolute()
    try:
        found = load(file, file)
    except InvalidSetting as why:
        raise InvalidSetting(str(why).replace("--tls-key", "--ca").replace("--tls", "--ca")) from None
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise InvalidSetting(f"--ca: {file} has a key with which certificates can be issued, and other users can read it: chmod 600")
    try:
        is_authority = found.chain[0].extensions.get_extension_for_class(BasicConstraints).value.ca
    except (ExtensionNotFound, ValueError):
        is_authority = False
    if not is_authority:
        raise InvalidSetting(f"--ca: the first certificate in {file} is no authority (CA:TRUE); `ocpp-tw ca init` makes one")
    if not isinstance(found.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise InvalidSetting(f"--ca: the key in {file} is neither EC nor RSA, which all chargers understand")
    return Authority(found.key, found.chain, settings.ca_days, time.time)


def make_authority(directory: Path, name: str, organization: str) -> tuple[Path, Path]:
    """Make a new one in that directory; the two files. Raises `OSError`: FileExistsError if there is one."""
    certificate, key = make(name, organization, time.time())
    directory.mkdir(parents=True, exist_ok=True)
    both, root = directory / BOTH, directory / ROOT
    for file, text, mode in ((both, certificate + key, 0o600), (root, certificate, 0o644)):
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
            opened.write(text)
    return both, root
