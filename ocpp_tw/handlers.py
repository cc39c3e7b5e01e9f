"""The gateway's own handlers: everybody may charge, or the backend decides (docs/extending.md).

Knows no OCPP version and no HTTP. `find` finds an operator's own handlers, which commonly inherit from these.
"""

from __future__ import annotations

import msgspec
from twisted.plugin import getPlugins
from zope.interface import implementer

from .complaints import Complaints
from .core.provisional import StartQuery
from .facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    DataTransfer,
    DataTransferResult,
    Heartbeat,
    MeterValues,
    Other,
    Registration,
    Start,
    Started,
    StatusNotification,
    Stopped,
    Updated,
)
from .gateway.start_query import ask
from .interfaces import BackendFailed, IBackend, ICharger, IHandlers, IHandlersPlugin, Maybe
from .ocpp.actions import FIXED_ANSWERS
from .ocpp.negotiation import enabled_versions
from .settings import InvalidSetting, Settings
from .vendors.plug_and_charge import REQUIRED_MEMBERS, PlugAndCharge
from .vendors.table import Vendors, installed

ACCEPTED = Authorization()
FORMER_NAMES = {
    "booted": "boot_notification",
    "beat": "heartbeat",
    "presented": "authorize",
    "status": "status_notification",
    "metered": "meter_values",
    "transfer": "data_transfer",
}
"""Names that methods of handlers had: one that is overridden under such a name would decide nothing, and let in whom it blocks."""

TRANSFERRED = ("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId")


@implementer(IHandlers)
class Handlers:
    """Decides by the settings, and by the backend where there is one."""

    def __init__(self, settings: Settings, backend: IBackend | None = None) -> None:
        self.settings = settings
        self._complaints = Complaints()
        self.backend = backend
        self.vendors = Vendors((PlugAndCharge(self), *installed()))

    def boot_notification(self, charger: ICharger, fact: BootNotification) -> Maybe[Registration]:
        """An operator's decision first; a charger accepted before is accepted again, and a new one gets the settings' status."""
        if self.settings.register == "backend" and charger.record.backend_verdict == "pending" and not charger.record.boot_status:
            return self._ask_registration(charger)
        if self.settings.unknown_chargers == "pending" and not charger.record.is_registered:
            usual = "Pending"
        else:
            usual = "Accepted" if charger.registration == "Accepted" else self.settings.boot_status
        status, retry = charger.record.boot_status or usual, charger.record.retry_interval
        return Registration(status, int(retry) if retry and status != "Accepted" else self.settings.heartbeat_interval)

    async def _ask_registration(self, charger: ICharger) -> Registration:
        """The backend has said Pending in the handshake: it may have changed its mind since."""
        verdict = "pending"
        try:
            if self.backend is not None:
                verdict = (await self.backend.admission(charger.id)).verdict
        except BackendFailed:
            pass
        retry = charger.record.retry_interval
        if verdict == "accept":
            return Registration(self.settings.boot_status, self.settings.heartbeat_interval)
        return Registration("Pending" if verdict == "pending" else "Rejected", int(retry) if retry else self.settings.heartbeat_interval)

    def heartbeat(self, charger: ICharger, fact: Heartbeat) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def authorize(self, charger: ICharger, fact: Authorize) -> Maybe[Authorization]:
        """Accepted, or what the backend says."""
        return self._verify(charger, fact.tag, fact.tag_type, None)

    def status_notification(self, charger: ICharger, fact: StatusNotification) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def started(self, charger: ICharger, fact: Started) -> Maybe[Start]:
        """Accepted, under an id of the gateway's own in 1.6, or what the backend says."""
        query = None if self.backend is None else StartQuery.of(charger.id, fact)
        return Start() if self.backend is None or query is None else self._ask_start(self.backend, query)

    def updated(self, charger: ICharger, fact: Updated) -> Maybe[Authorization | None]:
        """A tag presented with it is verified (E02.FR.04, E05.FR.01)."""
        return None if fact.tag is None else self._verify(charger, fact.tag, fact.event_info.tag_type, fact.event_info.conn)

    def stopped(self, charger: ICharger, fact: Stopped) -> Maybe[Authorization | None]:
        """A stop cannot be refused (OCPP 1.6 §4.10), but the charger may keep the verdict on its tag (§3.5.1), so that is verified.

        In 1.6, which leaves the verdict optional, there is none while the backend is unavailable.
        """
        if fact.tag is None:
            return None
        if fact.event_info is not None:
            return self._verify(charger, fact.tag, fact.event_info.tag_type, fact.event_info.conn)
        if self.backend is None or self.settings.authorize == "accept":
            return Authorization()
        return self._known_to_backend(self.backend, charger, fact.tag, "", None)

    def meter_values(self, charger: ICharger, fact: MeterValues) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def data_transfer(self, charger: ICharger, fact: DataTransfer) -> Maybe[DataTransferResult]:
        """The vendor's plugin decides, or the backend if it answers DataTransfer; else Accepted, since the backend has the event."""
        if fact.vendor_id in self.vendors:
            return self.vendors.data_transfer(charger, fact)
        if self.backend is None or "DataTransfer" not in self.settings.backend_actions:
            return DataTransferResult()
        return self._ask_data_transfer(self.backend, charger, fact)

    def other(self, charger: ICharger, fact: Other) -> Maybe[Answer]:
        """The backend answers if the settings say so; else the answer has only what its schema requires."""
        if self.backend is None or fact.action not in self.settings.backend_actions:
            return Answer()
        return self._ask_answer(self.backend, charger, fact)

    async def _ask_start(self, backend: IBackend, query: StartQuery) -> Start:
        """The backend's answer as far as there is one, the policy for the rest."""
        answer = await ask(backend, query, self.settings.authorize == "backend")
        authorization = self._policy() if isinstance(answer.authorization, BackendFailed) else answer.authorization
        if isinstance(answer.transaction_id, BackendFailed):
            return Start(self._policy(authorization), provisional=True)
        return Start(authorization, answer.transaction_id)

    def _verify(self, charger: ICharger, tag: str, kind: str, connector: int | None) -> Maybe[Authorization]:
        """Accepted, or what the backend says. NoAuthorization is a start button, not a tag (C02.FR.02)."""
        if self.backend is None or self.settings.authorize == "accept" or kind == "NoAuthorization":
            return Authorization()
        return self._ask_authorization(self.backend, charger, tag, kind, connector)

    async def _ask_authorization(self, backend: IBackend, charger: ICharger, tag: str, kind: str, connector: int | None) -> Authorization:
        return await self._known_to_backend(backend, charger, tag, kind, connector) or self._policy()

    async def _known_to_backend(
        self, backend: IBackend, charger: ICharger, tag: str, kind: str, connector: int | None
    ) -> Authorization | None:
        """None while the backend is unavailable, which whoever asks it tells the log (`ocpp_tw.gateway.breaker`)."""
        try:
            return await backend.authorize(tag, charger.id, connector, kind)
        except BackendFailed:
            return None

    def _policy(self, known: Authorization = ACCEPTED) -> Authorization:
        """The verdict without the backend: what is known of the tag, unless the policy is to deny."""
        return known if known.status != "Accepted" or self.settings.backend_policy == "provisional" else Authorization("Invalid")

    async def _ask_answer(self, backend: IBackend, charger: ICharger, fact: Other) -> Answer:
        try:
            members = await backend.answer(charger.id, charger.ocpp, fact.action, msgspec.json.encode(fact.payload))
        except BackendFailed:
            return Answer()
        return Answer(members or {})

    async def _ask_data_transfer(self, backend: IBackend, charger: ICharger, fact: DataTransfer) -> DataTransferResult:
        given = {"vendorId": fact.vendor_id, "messageId": fact.message_id, "data": fact.data}
        payload = {name: value for name, value in given.items() if value is not None}
        members = (await self._ask_answer(backend, charger, Other("DataTransfer", payload))).members
        status, data = members.get("status", "Accepted"), members.get("data")
        if status not in TRANSFERRED:
            self._complaints.warn("backend's answer to a DataTransfer of {charger} has no valid status", charger=charger.id)
            return DataTransferResult()
        return DataTransferResult(status, data if isinstance(data, str | None) else msgspec.json.encode(data).decode())


def find(settings: Settings, backend: IBackend | None) -> IHandlers:
    """The gateway's own handlers, or those of the plugin that the settings name.

    Raises:
        InvalidSetting: there is no such plugin, or it makes no handlers; or an action is named that no backend can be asked about.
    """
    _check_actions(settings)
    if not settings.handlers:
        return Handlers(settings, backend)
    plugins = {plugin.name: plugin for plugin in getPlugins(IHandlersPlugin)}
    if settings.handlers not in plugins:
        have = ", ".join(sorted(plugins)) or "there is none"
        raise InvalidSetting(f"--handlers: no handlers plugin named {settings.handlers!r} in twisted/plugins ({have})")
    made = plugins[settings.handlers].handlers(settings, backend)
    if former := FORMER_NAMES.keys() & set(dir(made)):
        renamed = ", ".join(f"{name} is {FORMER_NAMES[name]} now" for name in sorted(former))
        raise InvalidSetting(
            f"--handlers: the plugin {settings.handlers!r} has methods that are never called: {renamed} (docs/extending.md)"
        )
    if not IHandlers.providedBy(made):
        raise InvalidSetting(f"--handlers: what the plugin {settings.handlers!r} makes does not provide IHandlers")
    return made


def _check_actions(settings: Settings) -> None:
    """Raise `InvalidSetting` for a name in `backend_actions` that would never lead to a request."""
    versions = enabled_versions(settings).values()
    reachable = {action for version in versions for action in version.translations if action not in version.send_actions} - FIXED_ANSWERS
    if "1.6" in settings.versions:
        reachable |= set(REQUIRED_MEMBERS)  # Plug & Charge
    wrong = [action for action in settings.backend_actions if action not in reachable]
    if wrong:
        raise InvalidSetting(
            f"--backend-actions: {', '.join(wrong)}: with --versions {','.join(settings.versions)} there are {', '.join(sorted(reachable))}"
        )
