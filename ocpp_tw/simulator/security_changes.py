"""Changes of a charger's security by the central system: when they take effect, and which values are possible.

Knows the statuses of answers, but no message: the versions read and write those.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .command import CommandTarget
from .errors import Silence
from .quirks import NO_ANSWER, Effect, Quirk

PROMISES = {"Accepted": Effect.AT_ONCE, NO_ANSWER: Effect.AT_ONCE, "RebootRequired": Effect.AFTER_REBOOT}
"""When a change takes effect, by the answer; never with any other."""


def change(charger: CommandTarget, name: str, do: Callable[[], object], ordinary: Effect = Effect.AT_ONCE) -> str:
    """Make the change ``do`` of a key, variable or certificate in time; the status for the answer. ``ordinary`` is when without a quirk.

    Raises `Silence` if the charger's quirk is to answer nothing.
    """
    quirk = charger.security.quirks.get(name, Quirk(effect=ordinary))
    effect = quirk.effect or PROMISES.get(quirk.answer, Effect.NEVER)
    if effect is Effect.AFTER_REBOOT:
        charger.security.at_reboot(do)
    elif effect is not Effect.NEVER:
        do()
    if quirk.answer == NO_ANSWER:
        charger.afterwards(charger.drop)
        raise Silence
    if effect is Effect.AT_ONCE:
        charger.afterwards(charger.reconnect)
    return quirk.answer


def change_password(charger: CommandTarget, name: str, password: bytes | None) -> str:
    """The status for a new password; None is not one. The charger reconnects with it if its profile has passwords (A01)."""
    if password is None:
        return "Rejected"
    security = charger.security
    ordinary = Effect.AT_ONCE if security.profile in (1, 2) else Effect.NEXT_CONNECTION
    return change(charger, name, lambda: security.use_password(password), ordinary)


def authorization_key(value: str) -> bytes | None:
    """The password in 1.6's AuthorizationKey: 32 to 40 hexadecimal digits are 16 to 20 bytes, and 16 to 20 bytes of text are themselves.

    OCPP 1.6 security whitepaper §7.2; the certification tests TC_073 and TC_085 have the rule by length.
    """
    if re.fullmatch("([0-9A-Fa-f]{2}){16,20}", value):
        return bytes.fromhex(value)
    return value.encode() if 16 <= len(value.encode()) <= 20 else None


def password_bytes(text: str, ocpp: str) -> bytes:
    """The password that a person has given a charger: any text, and for 1.6 hexadecimal digits as in AuthorizationKey."""
    return (authorization_key(text) if ocpp == "1.6" else None) or text.encode()


def basic_auth_password(value: str) -> bytes | None:
    """The password in 2.x: 16 to 64 characters, sent as UTF-8 (A00.FR.205 with errata 2025-01)."""
    return value.encode() if 16 <= len(value) <= 64 else None
