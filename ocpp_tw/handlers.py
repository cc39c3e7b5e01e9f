"""The gateway's own handlers: everybody may charge, or the backend decides (docs/extending.md).

Knows no OCPP version and no HTTP. An operator's own handlers are found by `find`, and commonly inherit from these.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.plugin import getPlugins
from zope.interface import implementer

from .backend import BackendFailed
from .facts import (
    Answer,
    Authorisation,
    Beat,
    Booted,
    Metered,
    Other,
    Presented,
    Registration,
    Start,
    Started,
    Status,
    Stopped,
    Transfer,
    Transferred,
)
from .interfaces import IBackend, ICharger, IHandlers, IHandlersPlugin, Maybe
from .settings import Settings, Wrong

log = Logger()


@implementer(IHandlers)
class Handlers:
    """Decides by the settings, and by the backend where there is one."""

    def __init__(self, settings: Settings, backend: IBackend | None = None) -> None:
        self.settings = settings
        self.backend = backend

    def booted(self, charger: ICharger, fact: Booted) -> Maybe[Registration]:
        """Who was accepted once is accepted again; whoever is new gets the status of the settings."""
        accepted = charger.registration == "Accepted"
        return Registration("Accepted" if accepted else self.settings.boot_status, self.settings.heartbeat_interval)

    def beat(self, charger: ICharger, fact: Beat) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def presented(self, charger: ICharger, fact: Presented) -> Maybe[Authorisation]:
        """Accepted, or what the backend says."""
        if self.backend is None or self.settings.authorize == "accept":
            return Authorisation()
        return self._authorise(self.backend, charger, fact.tag, None)

    def status(self, charger: ICharger, fact: Status) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def started(self, charger: ICharger, fact: Started) -> Maybe[Start]:
        """Accepted under an id of the gateway's own, or what the backend says."""
        return Start() if self.backend is None else self._start(self.backend, charger, fact)

    def stopped(self, charger: ICharger, fact: Stopped) -> Maybe[Authorisation | None]:
        """A stop cannot be refused (OCPP 1.6 §4.10): whoever is named in it is told Accepted."""
        return None if fact.tag is None else Authorisation()

    def metered(self, charger: ICharger, fact: Metered) -> Maybe[None]:
        """Nothing to decide."""
        return None

    def transfer(self, charger: ICharger, fact: Transfer) -> Maybe[Transferred]:
        """Accepted: the backend has it as an event."""
        return Transferred()

    def other(self, charger: ICharger, fact: Other) -> Maybe[Answer]:
        """The answer that says least."""
        return Answer()

    async def _start(self, backend: IBackend, charger: ICharger, fact: Started) -> Start:
        """The tag must be looked up even when the charger has let it in already (OCPP 1.6 §4.8)."""
        try:
            authorisation = Authorisation()
            if self.settings.authorize == "backend":
                authorisation = await backend.authorise(fact.tag, charger.id, fact.conn)
            id = await backend.transaction(fact.tag, charger.id, fact.conn)
        except BackendFailed as why:
            log.warn("the backend was of no use for a start on {charger}: {why}", charger=charger.id, why=str(why))
            return self._start_without(charger)
        if id is None and authorisation.status == "Accepted":
            authorisation = Authorisation("Invalid")
        return Start(authorisation, id)

    def _start_without(self, charger: ICharger) -> Start:
        accepted = self.settings.backend_policy == "provisional"
        return Start(Authorisation("Accepted" if accepted else "Invalid"), provisional=True)

    async def _authorise(self, backend: IBackend, charger: ICharger, tag: str, connector: int | None) -> Authorisation:
        try:
            return await backend.authorise(tag, charger.id, connector)
        except BackendFailed as why:
            log.warn("the backend was of no use for a tag on {charger}: {why}", charger=charger.id, why=str(why))
            return Authorisation("Accepted" if self.settings.backend_policy == "provisional" else "Invalid")


def find(settings: Settings, backend: IBackend | None) -> IHandlers:
    """The gateway's own handlers, or those of the plugin that the settings name.

    Raises:
        Wrong: there is no such plugin, or it makes no handlers.
    """
    if not settings.handlers:
        return Handlers(settings, backend)
    plugins = {plugin.name: plugin for plugin in getPlugins(IHandlersPlugin)}
    if settings.handlers not in plugins:
        have = ", ".join(sorted(plugins)) or "there is none"
        raise Wrong(f"--handlers: no handlers plugin named {settings.handlers!r} in twisted/plugins ({have})")
    made = plugins[settings.handlers].handlers(settings, backend)
    if not IHandlers.providedBy(made):
        raise Wrong(f"--handlers: what the plugin {settings.handlers!r} makes does not provide IHandlers")
    return made
