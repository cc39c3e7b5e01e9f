"""Who asks by HTTP, and the kinds of `security_event`: the vocabulary that docs/contract.md is generated from.

Knows neither tokens nor connections.
"""

from __future__ import annotations

from typing import NamedTuple


class Operator(NamedTuple):
    """Who asks by HTTP: the name of the token that was shown ("" for `--http-token`, and where none is needed), and from where."""

    name: str = ""
    address: str = ""


KINDS = {
    "login_failed": 'a wrong token was shown on operators\' HTTP, `count` times since the event before from that address; `charger` is ""',
    "decision": "an operator decides about a charger (PUT); `detail` names the members that are set, and none of their values; of "
    '`credentials_key` (POST), `charger` is ""',
    "command": "an operator sends a command by HTTP; `detail` is the OCPP action or the neutral command",
    "password_changed": "the charger has come in with a password that it was sent; its former one is not good any more",
    "profile_upgraded": "the charger has come in with the security profile that it was told to (`set_security_profile`), and never does with less",
    "profile_upgrade_failed": "it has come back with a lower one, or not within an hour; `detail` says which",
    "certificate_issued": "the charger has accepted a certificate that was signed with `--ca` or by your backend; `detail` has its SHA-256",
    "certificate_rejected": "the charger has not accepted such a certificate; `detail` is the status or the error code",
    "certificate_refused": "the gateway has not signed what the charger asked for (`--ca`); `detail` says why",
    "certificate_confirmed": "the charger has come in with such a certificate for the first time",
    "certificate_expiring": "the certificate of a charger that is connected is about to expire, within 30 days; told once a day",
    "password_refused": "the charger has refused a password that it was sent, which is good only until it next authenticates and shows which one it has; `detail` is the status or the error code",
    "take_over": "a connection of the charger's was taken over that was alive: `remote_address` is the newer one's, `detail` names the older one's",
    "take_over_refused": "somebody claimed to be a charger that is connected, not authenticated and from another address, and was turned away, "
    "`count` times since the event before of that charger; `detail` names the address of the connection that is alive",
}
"""Kind -> what has happened, and what its event has to say."""
