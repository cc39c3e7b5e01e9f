"""The data of events about what the gateway itself finds or does: connections, commands, liveness, refusals (docs/contract.md).

Knows neither where events go nor what leads to them. Field names are part of the contract.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from .commands import OUTCOMES
from .event import Data, one_of
from .security import KINDS

AUTHENTICATED, SAME_ADDRESS, DEAD = TAKEOVERS = ("authenticated", "same_address", "dead")
"""Why one connection takes over from another: it has been authenticated; it has not, as little as the other, and comes from the same
address; the other is dead."""

VERDICTS = ("confirmed", "refuted", "unknown")
"""What became of a remote start or stop."""


class ConnectCharger(Data):
    """A charger was let in; or is connected all the same, after it was published as disconnected because its gateway was not heard of."""

    ocpp: str
    """the OCPP version spoken"""
    remote_address: str
    """where it connects from"""
    security_profile: Annotated[int, msgspec.Meta(ge=0, le=3)]
    """OCPP's security profile of the connection: 0 is none"""
    previous: str | None
    """the connection it took over from, to this gateway or another, if that had not ended yet"""
    takeover: Annotated[str, one_of(TAKEOVERS)] | None
    """why it took over: authenticated, it has a security profile of 1 or more; same_address, both have none and come from one address; dead,
    the connection before gave no sign of life, or its gateway did not say; null if it did not take over"""
    repairs: list[str]
    """what was wrong with its handshake and put right"""


class DisconnectCharger(Data):
    """The charger's current connection ended; or the gateway that had it is gone, and another one, or its next run, publishes that."""

    code: int | None
    """the WebSocket close code; 1006 when the connection was cut; null when its gateway is gone"""
    reason: str
    """the reason that came with it; or "its gateway NAME is gone" """
    seconds: float
    """how long it was connected, as far as is known"""
    received: int
    """frames received; 0 when its gateway is gone, as are the next two"""
    sent: int
    """frames sent"""
    violations: int
    """messages that broke their schema"""


class TransactionReconciled(Data):
    """The backend has been heard on a transaction that began as `provisional` while it was of no use. The charger goes on with its own id."""

    transaction_id: int | str
    """the id that the charger knows, as in `start_transaction`"""
    backend_id: int | None
    """the id that the backend has given it now; null when the tag has no transaction"""
    status: str
    """the authorization status that the charger would have been given: Invalid when the tag has no transaction"""


class CommandResult(Data):
    """What came of a command; exactly one for each."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action, or the neutral command when it could not be translated"""
    outcome: Annotated[str, one_of(OUTCOMES)]
    """one of the outcomes below"""
    status: str | None
    """the status of the charger's answer, where it has one"""
    payload: dict[str, Any] | None
    """the charger's answer"""
    error: dict[str, Any] | None
    """why there is none: code, description, details"""
    sent: bool
    """whether the charger was sent it"""
    latency_ms: int | None
    """milliseconds from sending to the answer"""
    by: str | None = None
    """who sent it by HTTP: the name of the token, "" for `--http-token` and without any; null when it came from the list"""
    traceparent: str | None = None
    """the trace that it belongs to (W3C Trace Context): the command's, or with `--otel` the gateway's own span in it; null without either"""


class CommandFollowup(Data):
    """What became of a remote start or stop whose `command_result` could not say (`timeout`, `connection_lost`); at most one for each."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action, or the neutral command when it could not be translated"""
    outcome: Annotated[str, one_of(OUTCOMES)]
    """the outcome that the result had"""
    verdict: Annotated[str, one_of(VERDICTS)]
    """confirmed: the transaction began, or ended; refuted: the charger refused, or was connected two minutes later and nothing had
    happened; unknown: it was not connected then"""
    transaction_id: int | str | None
    """the transaction; null when none began"""


class CommandReport(Data):
    """2.x: what a command asked for has come in all its parts, each of which is an event of its own; or it has not."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action that asked"""
    request_id: int
    """the requestId that the parts carry"""
    parts: int
    """how many have come"""
    complete: bool
    """whether the last one is among them and none is missing"""
    missing: list[int]
    """the numbers (seqNo) of those that have not come"""


class SeqGap(Data):
    """2.x: messages of a transaction are missing; the charger may still have them."""

    transaction_id: str
    """the transaction"""
    missing: list[int]
    """their numbers (seqNo), at most 200 of them"""
    count: int
    """how many they are"""


class TransactionStatus(Data):
    """2.x: what the charger says of a transaction with missing messages; it was asked once."""

    transaction_id: str
    """the transaction"""
    missing: list[int]
    """the numbers that have not come by now, at most 200 of them"""
    ongoing: bool | None
    """whether it still runs; null when the charger does not say"""
    messages_in_queue: bool | None
    """whether the charger has messages of it to send; null when it does not answer"""


class HandshakeRejected(Data):
    """A charger was not let in, or somebody under its name: numbered (`seq`) apart from the charger's events, all of them together."""

    reason: str
    """why"""
    status: int
    """the HTTP status it was answered"""
    offered: list[str]
    """the subprotocols it offered: the first ten, and of each 40 characters"""
    remote_address: str
    """where it tried from"""
    left_out: int = 0
    """how many such events were left out before this one, since there were too many"""


class AuthenticationFailed(Data):
    """Somebody has not shown that it is the charger whose name it gave: at most one a minute and identity, by whichever gateway of the fleet is first; numbered as `handshake_rejected`."""

    reason: str
    """what was wrong: no credentials, the user name is not the identity, wrong password, no password has been set, it is registered as (another
    spelling), …; a certificate that is not the charger's, or a security profile that is too low for it"""
    status: int
    """the HTTP status it was answered: 401 (also if another spelling of it is registered), 403, 429 when it is to wait, 503 when that cannot be told now"""
    remote_address: str
    """where it tried from last"""
    count: int
    """how often it was tried at this gateway since it told of this identity last; what was tried at others is counted by their next event"""
    left_out: int = 0
    """how many such events of other identities were left out before this one, since there were too many"""


class SecurityEvent(Data):
    """Something that whoever watches over security should know. Where `by` is null it is numbered (`seq`) together with `handshake_rejected`,
    apart from the charger's events.
    """

    kind: Annotated[str, one_of(KINDS)]
    """one of the kinds below"""
    by: str | None
    """the operator: the name of the token, "" for `--http-token` and without any; null when it was none"""
    remote_address: str
    """from where"""
    detail: str
    """more about it, by its kind; never a secret"""
    count: int = 1
    """how often it happened"""
    left_out: int = 0
    """how many such events of this kind were left out before this one, since there were too many"""


class DuplicateIdentity(Data):
    """Two peers fight over one identity: a cloned charger, a wrong setting, or an intruder."""

    addresses: list[str]
    """where they connect from; one alone if both are behind it, as with a proxy"""
    takeovers: int
    """how often one took over from the other: within a minute; or from one that was alive, within ten"""


class Judgement(Data, kw_only=True, omit_defaults=True):
    """What the gateway thinks of a charger: told when it begins, and once more when it is over."""

    over: bool = False
    """only when true: it is over"""


class Unresponsive(Judgement):
    """A charger sends messages of its own but answers no command: a restart of its connection, or of itself, often helps.
    It is over with the next answer to a command, or with the connection (without a word).
    """

    timeouts: int
    """how many commands in a row it has not answered"""


class Silent(Judgement):
    """A charger's connection lives, but nothing has come for three times the heartbeat interval that it was given.
    It is over with its next message, or with the connection (without a word).
    """

    seconds: int
    """how long nothing has come, to the minute"""


class Flapping(Judgement):
    """A charger has connected five times within five minutes. It is over when it has not connected for as long."""

    connects: int
    """how often it has connected since that began"""
    seconds: int
    """within how many seconds; when it is over, for how long it has not"""


class Flooding(Judgement):
    """A charger sends far more than its budget (`--message-rate`, `--byte-rate`), over all of its connections; it is read from no faster than
    that. If it goes on for ten minutes it is disconnected with 1008. It is over when it has kept to its budget for a minute.
    """

    messages: int
    """messages and other frames received since its budget was first exceeded"""
    bytes: int
    """bytes of these messages"""
    seconds: int
    """for how long"""


class ClockSkew(Judgement):
    """A charger's clock is more than a minute wrong; told again when that has changed by more than a minute. It is over at half a minute."""

    seconds: int
    """by how much it is ahead; less than 0 when it is behind"""


class LateResponse(Data):
    """A charger answered a command that had ended as `timeout` before."""

    id: str
    """the command's id"""
    action: str
    """the OCPP action"""
    payload: dict[str, Any] | None
    """the charger's answer"""
    error: dict[str, Any] | None
    """its refusal"""


class MessageRefused(Data):
    """A message that was not served: an unknown action, one before acceptance, one that could not be read or was too much; 2.1: also an answer
    of ours that the charger could not process."""

    code: str
    """the error code it was answered (of an answer of ours: that the charger sent)"""
    description: str
    """what was wrong; it quotes no value (of an answer of ours: the charger's own words)"""
    text: str | None = None
    """the beginning of what could not be read as a message at all, at most 200 printable characters; null otherwise, and without
    `--event-payload`"""
    left_out: int = 0
    """how many such events of the charger's were left out before this one, since there were too many"""
