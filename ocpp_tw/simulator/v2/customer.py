"""The commands of 2.x for the people at the charger: customer information and display messages.

Knows the payloads; display messages are stored, not displayed.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from .evse import evse_charging
from .reports import notify_afterwards, notify_in_parts

MAX_DATA = 512
"""Most characters in the ``data`` of a NotifyCustomerInformation; longer text goes into several."""


def customer_information(charger: CommandTarget, payload: Payload) -> Payload:
    id, report, clear = need(payload, "requestId", int), need(payload, "report", bool), need(payload, "clear", bool)
    names = [name for name in ("idToken", "customerIdentifier", "customerCertificate") if name in payload]
    if len(names) != 1 or not (report or clear):
        return {"status": "Invalid"}
    tag = payload["idToken"]["idToken"] if names == ["idToken"] else payload.get("customerIdentifier", "")
    lists = {"the local list": charger.tags.local, "the cache": charger.tags.cache}
    found = [f"{tag} is {tags[tag].status} in {place}" for place, tags in lists.items() if tag in tags]
    if clear:
        charger.tags.cache.pop(tag, None)
    text = "; ".join(found) if report else ""
    lines = [text[at : at + MAX_DATA] for at in range(0, len(text), MAX_DATA)] or [""]
    for number, line in enumerate(lines):
        more = {"requestId": id, "seqNo": number, "generatedAt": charger.clock.timestamp(), "tbc": number < len(lines) - 1}
        notify_afterwards(charger, "NotifyCustomerInformation", more | {"data": line})
    return accepted(True)


def set_message(charger: CommandTarget, payload: Payload) -> Payload:
    message = need(payload, "message", dict)
    if "transactionId" in message and evse_charging(charger, message["transactionId"]) is None:
        return {"status": "UnknownTransaction"}
    charger.device.messages[message["id"]] = message
    return accepted(True)


def get_messages(charger: CommandTarget, payload: Payload) -> Payload:
    id, requested = need(payload, "requestId", int), payload.get("id")
    found = [
        each
        for each in charger.device.messages.values()
        if (requested is None or each["id"] in requested)
        and all(payload[name] == each.get(name) for name in ("priority", "state") if name in payload)
    ]
    notify_in_parts(charger, "NotifyDisplayMessages", id, "messageInfo", [({}, found)])
    return accepted(bool(found), "Unknown")


def clear_message(charger: CommandTarget, payload: Payload) -> Payload:
    return accepted(charger.device.messages.pop(need(payload, "id", int), None) is not None, "Unknown")


CUSTOMER: dict[str, Command] = {
    "ClearDisplayMessage": clear_message,
    "CustomerInformation": customer_information,
    "GetDisplayMessages": get_messages,
    "SetDisplayMessage": set_message,
}
