"""Reads the settings from options and environment, and says which of them do not go together.

Knows neither argv (`ocpp_tw.tap` has that) nor what a setting is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .settings import TABLE, InvalidSetting, Setting, Settings, max_name_length

RULES: tuple[tuple[Callable[[Settings], object], str], ...] = (
    (
        lambda its: not its.http.loopback and not its.http_token and not its.http_tokens,
        "--http: {settings.http} can be reached from other machines, so --http-tokens or --http-token (HTTP_TOKENS, HTTP_TOKEN) must be set",
    ),
    (
        lambda its: its.http_tls_key and not its.http_tls,
        "--http-tls-key: needs --http-tls (HTTP_TLS_CERTIFICATE), the certificate that the key belongs to",
    ),
    (lambda its: its.tls_key and not its.tls, "--tls-key: needs --tls (TLS_CERTIFICATE), the certificate that the key belongs to"),
    (
        lambda its: its.tls_key and len(its.tls_key) != len(its.tls),
        "--tls-key: names {keys} files for the {certificates} of --tls; one key belongs to each",
    ),
    (
        lambda its: its.tls_client_ca and not its.tls and not its.trusted_proxies,
        "--tls-client-ca: needs --tls (TLS_CERTIFICATE), or --trusted-proxies: chargers show certificates over TLS only",
    ),
    (
        lambda its: its.tls_client_crl and not its.tls_client_ca,
        "--tls-client-crl: needs --tls-client-ca (TLS_CLIENT_CA), the authorities that the lists are of",
    ),
    (
        lambda its: its.ca and not its.tls_client_ca,
        "--ca: needs --tls-client-ca (TLS_CLIENT_CA) with its certificate, or nobody who has one from it gets in",
    ),
    (
        lambda its: its.security_profile in ("2", "3") and not its.tls and not its.trusted_proxies,
        "--security-profile: {settings.security_profile} needs --tls (TLS_CERTIFICATE), or --trusted-proxies where the TLS ends",
    ),
    (
        lambda its: its.security_profile == "3" and not its.tls_client_ca,
        "--security-profile: 3 needs --tls-client-ca (TLS_CLIENT_CA), the authorities that have issued chargers' certificates",
    ),
    (
        lambda its: its.security_profile == "3" and not (its.tls or its.proxy_protocol or its.proxy_certificate_header),
        "--security-profile: 3 behind proxies needs --proxy-certificate-header or --proxy-protocol to see certificates",
    ),
    (
        lambda its: its.client_organization and not its.tls_client_ca,
        "--client-organization: needs --tls-client-ca (TLS_CLIENT_CA), or chargers show no certificate that could name it",
    ),
    (
        lambda its: its.proxy_protocol and not its.trusted_proxies,
        "--proxy-protocol: needs --trusted-proxies (TRUSTED_PROXIES) to say from where it is believed",
    ),
    (
        lambda its: its.proxy_certificate_header and not (its.trusted_proxies and its.tls_client_ca),
        "--proxy-certificate-header: needs --trusted-proxies, and --tls-client-ca to verify the certificates by",
    ),
    (
        lambda its: its.proxy_certificate_header and its.proxy_protocol,
        "--proxy-certificate-header: is not looked at with --proxy-protocol, which has the certificate itself",
    ),
    (
        lambda its: its.durability == "fsync" and not its.spool,
        "--durability: fsync needs a spool, for a Redis that does not sync what it is told; leave --spool at its default",
    ),
    (lambda its: its.authorize == "backend" and not its.base_url, "--authorize: backend needs --base-url (BASE_URL) to say where it is"),
    (lambda its: its.register == "backend" and not its.base_url, "--register: backend needs --base-url (BASE_URL) to say where it is"),
    (
        lambda its: its.register == "backend" and its.unknown_chargers != "accept",
        "--unknown-chargers: with --register backend it is the backend that says what becomes of each charger; leave it out",
    ),
    (lambda its: its.backend_actions and not its.base_url, "--backend-actions: needs --base-url (BASE_URL) to say where the backend is"),
    (
        lambda its: len(its.name) > max_name_length(its.workers),
        "--name: with --workers {settings.workers} it may have {longest} characters, since each adds its number",
    ),
)
"""Valid values that contradict each other, and what is then said."""


def read(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings from options and environment; an option wins over its variable, an empty variable counts as unset.

    Raises:
        InvalidSetting: a value is invalid, or two contradict each other; the text begins with the option's or variable's name.
    """
    values: dict[str, Any] = {}
    for row in TABLE:
        given, source = _given(row, options, environment)
        # an empty option turns off what the variable says: "" where that is the default, else the default
        if given is not None and (given or row.default == ""):
            values[row.name] = _parsed(row, given, source) if given else ""
    settings = Settings(**values)
    for contradicts, text in RULES:
        if contradicts(settings):
            counts = {"keys": len(settings.tls_key), "certificates": len(settings.tls), "longest": max_name_length(settings.workers)}
            raise InvalidSetting(text.format(settings=settings, **counts))
    return settings


def _given(row: Setting, options: Mapping[str, str | None], environment: Mapping[str, str]) -> tuple[str | None, str]:
    """The text given for a setting, None if there is none; and the option or variable it was given by."""
    option = options.get(row.name)
    if option is None and environment.get(row.variable):
        return environment[row.variable], row.variable
    return option, row.option


def _parsed(row: Setting, given: str, source: str) -> Any:
    try:
        return row.parse(given)
    except InvalidSetting as why:
        shown = re.sub(r"(?<=//).*@", "***@", given)  # a URL may contain a password
        raise InvalidSetting(f"{source}: {why}, not {shown!r}") from None
