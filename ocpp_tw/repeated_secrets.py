"""Hides the secrets of a request where its answer repeats them: chargers quote what they refuse, in texts that name no secret.

Knows neither requests nor answers, only JSON. What is repeated in another form (base64, another case) is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from .concealed import HIDDEN, concealed, mentioned, secrets_of_text

MIN_LENGTH = 4
"""Characters of the shortest secret that is looked for: a SIM's PIN has four. Shorter ones would be found in anything."""

MOST = 100
"""Most secrets of one request that are looked for, since each is looked for in every text of the answer."""

_NO_SECRETS = frozenset({"true", "false", "none", "null"})
"""Values of settings with a secret's name, such as that there is a password."""

_HARMLESS = (b"idtoken", b"localauthorizationlist")
"""OCPP's names that look like a secret's, in lower case: without them a local list of a megabyte need not be gone through entry by entry."""

_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


def secrets_in(payload: Any) -> list[str]:
    """The values that `concealed` hides in a payload, the longest first, since one may be in another."""
    text = _encode(payload).lower()
    for harmless in _HARMLESS:
        text = text.replace(harmless, b"")
    if not mentioned(text):
        return []
    told = concealed(payload)
    if told is payload:
        return []
    found: dict[str, None] = {}
    for each in _hidden_of(payload, told):
        if len(each) >= MIN_LENGTH and each.lower() not in _NO_SECRETS:
            found[each] = None
            if len(found) == MOST:
                break
    return sorted(found, key=len, reverse=True)


def hidden(value: Any, secrets: Sequence[str]) -> Any:
    """The JSON value without any of the secrets, as `secrets_in` has them."""
    if not secrets:
        return value
    if isinstance(value, str):
        for each in secrets:
            value = value.replace(each, HIDDEN)
        return value
    if isinstance(value, dict):
        return {hidden(name, secrets): hidden(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [hidden(each, secrets) for each in value]
    return HIDDEN if isinstance(value, int | float) and str(value) in secrets else value


def _hidden_of(before: Any, after: Any) -> Iterator[str]:
    """The texts and numbers that are hidden in ``after``."""
    if before is after:
        return
    if isinstance(before, dict):
        for name, each in before.items():
            yield from _hidden_of(each, after[name])
    elif isinstance(before, list):
        for each, told in zip(before, after, strict=True):
            yield from _hidden_of(each, told)
    elif not isinstance(before, str):
        yield str(before)
    else:
        inside = _json_in(before)
        if after == HIDDEN:
            yield before
            yield from secrets_of_text(before)
            yield from _scalars(inside)
        elif inside is not None:
            yield from _hidden_of(inside, concealed(inside))
        else:
            yield from secrets_of_text(before)


def _json_in(text: str) -> Any:
    """What a text that is JSON says; None of any other."""
    if text[:1] in ("{", "["):
        try:
            return _decode(text)
        except (ValueError, RecursionError):
            pass
    return None


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
