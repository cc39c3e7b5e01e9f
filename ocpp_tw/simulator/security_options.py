"""The options of ``ocpp-tw simulate`` about security: which can be used together, and the certificates in their files.

Loads nothing before it is needed: the command line imports this for every command.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .own_certificates import OwnCertificate


class UnusableFile(Exception):
    """A file that an option names cannot be used; the text says which and why."""


def add_security_options(add: Callable[..., object], url: Callable[[str], str]) -> None:
    """Add the options to a parser; ``url`` reads a ws or wss URL."""
    add(
        "--security-profile",
        type=int,
        choices=range(4),
        help="OCPP's security profile at the start: 0 none, 1 a password over ws, 2 a password over wss, 3 a certificate over wss "
        "(default: what --url, --password and --certificate are for)",
    )
    add(
        "--password",
        help="password for Basic auth, in 1.6 also as 32 to 40 hexadecimal digits; the user name is the charger's id; "
        "prefer OCPP_PASSWORD, which other users of this machine cannot see",
    )
    add("--ca", metavar="FILE", help="trust the CA certificates in this PEM file, as installed in the chargers, instead of the system's")
    add(
        "--certificate",
        metavar="FILE",
        help="profile 3: PEM file with the charger's certificate, its chain and, without --key, its key; for several chargers a directory "
        "with an ID.pem for each",
    )
    add("--key", metavar="FILE", help="PEM file with the key of --certificate; for several chargers a directory with an ID.key for each")
    add("--tls-url", type=url, metavar="URL", help="1.6: where an upgrade to profile 2 or 3 leads to (--url with wss)")
    add("--insecure", action="store_true", help="with wss: accept any certificate")


def password(options: argparse.Namespace) -> str | None:
    """The password, which may be in the environment."""
    return options.password or os.environ.get("OCPP_PASSWORD") or None


def security_mistake(options: argparse.Namespace) -> str | None:
    """Why these options cannot be used together."""
    profile, tls = options.security_profile, options.url.startswith("wss:")
    if profile in (0, 1) and tls:
        return f"security profile {profile} is not encrypted: --url must begin with ws://, not wss://"
    if profile in (2, 3) and not tls:
        return f"security profile {profile} is over TLS: --url must begin with wss://, not ws://"
    if profile in (1, 2) and password(options) is None:
        return f"security profile {profile} needs a password: set OCPP_PASSWORD, or use --password"
    if profile == 3 and options.certificate is None:
        return "security profile 3 needs the charger's certificate: name its file with --certificate"
    if options.key is not None and options.certificate is None:
        return "--key is the key of --certificate, which is missing"
    if options.tls_url is not None and (not options.tls_url.startswith("wss:") or options.ocpp != "1.6"):
        return "--tls-url is for --ocpp 1.6 and begins with wss://; in 2.x SetNetworkProfile names the URL"
    if options.count > 1 and any(path is not None and not Path(path).is_dir() for path in (options.certificate, options.key)):
        return "several chargers cannot share a certificate: --certificate (and --key) must name a directory, with an ID.pem (and ID.key) for each"
    return None


def security_of_plan(options: argparse.Namespace, ids: Sequence[str]) -> dict[str, Any]:
    """The members of a plan that these options determine; raises `UnusableFile`."""
    return {
        "password": password(options),
        "insecure": options.insecure,
        "security_profile": options.security_profile,
        "roots": () if options.ca is None else _roots(Path(options.ca)),
        "own": {} if options.certificate is None else {id: _own(id, options.certificate, options.key) for id in ids},
        "tls_url": options.tls_url,
    }


def _roots(path: Path) -> tuple[str, ...]:
    from cryptography.hazmat.primitives.serialization import Encoding

    from .own_certificates import split_chain

    try:
        return tuple(each.public_bytes(Encoding.PEM).decode() for each in split_chain(_text(path)))
    except ValueError:
        raise UnusableFile(f"--ca {path}: there is no PEM certificate in it") from None


def _own(id: str, certificate: str, key: str | None) -> OwnCertificate:
    from .own_certificates import load_own

    path, secret = _file(certificate, f"{id}.pem"), None if key is None else _file(key, f"{id}.key")
    try:
        return load_own(_text(path), None if secret is None else _text(secret))
    except ValueError as why:
        raise UnusableFile(f"--certificate {path}{'' if secret is None else f' --key {secret}'}: {why}") from None


def _file(path: str, name: str) -> Path:
    return Path(path) / name.replace("/", "_") if Path(path).is_dir() else Path(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as why:
        raise UnusableFile(f"{path}: {why.strerror}") from None
