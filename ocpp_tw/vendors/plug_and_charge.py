"""ISO 15118 Plug & Charge with OCPP 1.6: messages of 2.0.1 as JSON text within DataTransfer (OCA's application note).

Knows no certificates. The messages are read and answered as those of 2.0.1 are, and decided by the same handlers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.logger import Logger
from zope.interface import implementer

from ..facts import Answer, Authorization, Authorize, DataTransfer, DataTransferResult, Other
from ..interfaces import ICharger, IHandlers, IVendor

if TYPE_CHECKING:
    from ..ocpp.frames import Payload
    from ..ocpp.version import Version

log = Logger()

ESSENTIALS: Mapping[str, tuple[str, type]] = {
    "Authorize": ("idToken", dict),
    "Get15118EVCertificate": ("exiRequest", str),
    "GetCertificateStatus": ("ocspRequestData", dict),
    "SignCertificate": ("csr", str),
}
"""What chargers send, and the member that it is about."""

SPOILT = {
    "CertificateExpired": "Expired",
    "CertificateRevoked": "Invalid",
    "CertChainError": "Invalid",
}
"""certificateStatus -> what the tag's status is with it, whatever else is thought of the tag (C07.FR.15, 16, 17)."""


@implementer(IVendor)
class PlugAndCharge:
    """Certificates are the business of a PKI: what it has to say comes from the handlers' `other`, and so from the backend.

    Without its word no certificateStatus is given (the member is optional), nothing is signed and no certificate installed.
    """

    vendor_id = "org.openchargealliance.iso15118pnc"

    def __init__(self, handlers: IHandlers) -> None:
        self._handlers = handlers

    async def data_transfer(self, charger: ICharger, fact: DataTransfer) -> DataTransferResult:
        """One of four messages; what cannot be read is Rejected."""
        from ..ocpp.v2 import V201  # its schemas are compiled for those who need them

        action = fact.message_id or ""
        if action not in ESSENTIALS:
            return DataTransferResult("UnknownMessageId")
        payload = _read(fact.data)
        short = action == "Authorize" and isinstance(payload.get("idToken"), str)
        if short:  # the note's tables have an identifierString where 2.0.1 has an IdTokenType; chargers send either
            payload["idToken"] = {"idToken": payload["idToken"], "type": "eMAID"}
        member, kind = ESSENTIALS[action]
        if not isinstance(payload.get(member), kind):
            return DataTransferResult("Rejected")
        if action != "Authorize":
            answer = await self._other(V201, charger, action, payload, Answer())
        elif not payload["idToken"].get("idToken") or not isinstance(payload["idToken"]["idToken"], str):
            return DataTransferResult("Rejected")
        else:
            answer = await self._authorize(V201, charger, payload)
        if short:
            answer["idTokenInfo"] = _id_tag_info(answer["idTokenInfo"])
        return DataTransferResult("Accepted", msgspec.json.encode(answer).decode())

    async def _authorize(self, version: Version, charger: ICharger, payload: Payload) -> Payload:
        translation = version.translations["Authorize"]
        presented = translation.read(payload)
        assert isinstance(presented, Authorize)
        verdict = self._handlers.authorize(charger, presented)
        authorization = verdict if isinstance(verdict, Authorization) else await verdict
        own = translation.answer(presented, authorization, "")
        answer = await self._other(version, charger, "Authorize", payload, Answer(own))
        spoilt = SPOILT.get(answer.get("certificateStatus", ""))
        if spoilt:
            answer["idTokenInfo"] = answer["idTokenInfo"] | {"status": spoilt}
        return answer

    async def _other(self, version: Version, charger: ICharger, action: str, payload: Payload, own: Answer) -> Payload:
        """Our own answer with the handlers' members in it, unless that would not be an answer of OCPP."""
        fact = Other(action, payload)
        said = self._handlers.other(charger, fact)
        said = said if isinstance(said, Answer) else await said
        translation = version.translations[action]
        ours = own.members or translation.answer(fact, own, "")
        answer = ours | said.members
        if version.schemas.valid_answer[action](answer):
            return answer
        log.warn("what is to be answered to {charger}'s {action} is not valid and left out", charger=charger.id, action=action)
        return ours


def _read(data: Any) -> dict[str, Any]:
    """The message; {} when it is none. Some chargers put the object itself where its text should be."""
    if not isinstance(data, str):
        return dict(data) if isinstance(data, dict) else {}
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def _id_tag_info(info: Payload) -> Payload:
    """2.0.1's idTokenInfo as 1.6 has it."""
    from ..ocpp.v16 import id_tag_info

    return id_tag_info(Authorization(info["status"], info.get("cacheExpiryDateTime"), info.get("groupIdToken", {}).get("idToken")))
