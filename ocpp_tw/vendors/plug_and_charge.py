"""ISO 15118 Plug & Charge with OCPP 1.6: messages of 2.0.1 as JSON text within DataTransfer (OCA's application note).

Checks no certificate. The messages are parsed and answered as those of 2.0.1 are, and decided by the same handlers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from zope.interface import implementer

from ..complaints import Complaints
from ..facts import Answer, Authorization, Authorize, DataTransfer, DataTransferResult, Other
from ..interfaces import ICharger, IHandlers, IVendor
from ..ocpp.common import STATUS_BY_CERTIFICATE
from ..ocpp.frames import Payload, embedded

if TYPE_CHECKING:
    from ..ocpp.version import Version

REQUIRED_MEMBERS: Mapping[str, tuple[str, type]] = {
    "Authorize": ("idToken", dict),
    "Get15118EVCertificate": ("exiRequest", str),
    "GetCertificateStatus": ("ocspRequestData", dict),
    "SignCertificate": ("csr", str),
}
"""The actions that chargers send, and the member without which a message is Rejected, with its type."""


@implementer(IVendor)
class PlugAndCharge:
    """Certificates are a PKI's business: its answers come from the handlers' `other`, and so from the backend.

    Without an answer no certificateStatus is given (the member is optional), nothing is signed and no certificate installed.
    """

    vendor_id = "org.openchargealliance.iso15118pnc"

    def __init__(self, handlers: IHandlers) -> None:
        self._handlers = handlers
        self._complaints = Complaints()

    async def data_transfer(self, charger: ICharger, fact: DataTransfer) -> DataTransferResult:
        """Answer one of four messages; one that cannot be parsed is Rejected."""
        from ..ocpp.v2 import V201  # imported only if needed: its schemas are compiled at import

        action = fact.message_id or ""
        if action not in REQUIRED_MEMBERS:
            return DataTransferResult("UnknownMessageId")
        payload = _read(fact.data)
        bare_tag = action == "Authorize" and isinstance(payload.get("idToken"), str)
        if bare_tag:  # the application note's tables have an identifierString where 2.0.1 has an IdTokenType; chargers send either
            payload["idToken"] = {"idToken": payload["idToken"], "type": "eMAID"}
        member, kind = REQUIRED_MEMBERS[action]
        if not isinstance(payload.get(member), kind):
            return DataTransferResult("Rejected")
        if action != "Authorize":
            answer = await self._other(V201, charger, action, payload, Answer())
        elif not payload["idToken"].get("idToken") or not isinstance(payload["idToken"]["idToken"], str):
            return DataTransferResult("Rejected")
        else:
            answer = await self._authorize(V201, charger, payload)
        if bare_tag:
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
        status = STATUS_BY_CERTIFICATE.get(answer.get("certificateStatus", ""))
        if status:
            answer["idTokenInfo"] = answer["idTokenInfo"] | {"status": status}
        return answer

    async def _other(self, version: Version, charger: ICharger, action: str, payload: Payload, own: Answer) -> Payload:
        """Our own answer with the handlers' members in it, unless that would violate the schema."""
        fact = Other(action, payload)
        verdict = self._handlers.other(charger, fact)
        verdict = verdict if isinstance(verdict, Answer) else await verdict
        translation = version.translations[action]
        ours = own.members or translation.answer(fact, own, "")
        answer = ours | verdict.members
        if version.schemas.valid_answer[action](answer):
            return answer
        self._complaints.warn(
            "handlers' answer ignored: it violates the schema of {action}, for {charger}", charger=charger.id, action=action
        )
        return ours


def _read(data: Any) -> dict[str, Any]:
    """The message; {} when it cannot be parsed, or is too much. Some chargers send the object itself in place of its text."""
    if not isinstance(data, str):
        return dict(data) if isinstance(data, dict) else {}
    try:
        return embedded(data.encode()) or {}
    except UnicodeError:
        return {}


def _id_tag_info(info: Payload) -> Payload:
    """2.0.1's idTokenInfo as an idTagInfo of 1.6."""
    from ..ocpp.v16 import id_tag_info

    return id_tag_info(Authorization(info["status"], info.get("cacheExpiryDateTime"), info.get("groupIdToken", {}).get("idToken")))
