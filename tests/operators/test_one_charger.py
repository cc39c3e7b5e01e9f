"""What operators are shown of one charger: why it was refused last, and what it was sent and has not come in with yet."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture

from ocpp_tw.gateway import last_refusals
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest
from ocpp_tw.memory import MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from operators_site import Site

PASSWORD = "correct horse battery"


class Shown:
    """A gateway, its chargers' handshakes, and what its operators are shown."""

    def __init__(self, **settings: Any) -> None:
        self.here = InMemoryGateway(Settings(name="gw", **settings))
        self.site = Site(gateway=self.here.gateway, verdicts=self.here.application.verdicts)

    def knock(self, id: str = "cp1", password: str | None = None, address: str = "192.0.2.7", **more: Any) -> None:
        headers = {} if password is None else {"authorization": "Basic " + b64encode(f"{id}:{password}".encode()).decode()}
        request = HandshakeRequest(id, "csms.example.com", address, more.pop("offered", ("ocpp1.6",)), headers, **more)
        charger, _ = self.here.gateway.admit(request, MemoryWire())  # type: ignore[misc]
        self.here.gateway.arrived(charger)

    def refused(self, *args: Any, **more: Any) -> None:
        with pytest.raises(HandshakeRefused):
            self.knock(*args, **more)

    def store(self, id: str = "cp1", **fields: str) -> None:
        self.here.store.tables["record", id] |= {name: value.encode() for name, value in fields.items()}

    async def charger(self, id: str = "cp1", status: int = 200) -> dict[str, Any]:
        answered, body = await self.site.request("GET", f"/api/chargers/{id}")
        assert answered == status, body
        return body


@async_yield_fixture
async def shown() -> AsyncIterator[Shown]:
    made = Shown()
    yield made
    await made.site.close()


@async_yield_fixture
async def closed() -> AsyncIterator[Shown]:
    """Of a gateway that nobody unknown comes in to."""
    made = Shown(unknown_chargers="refuse")
    yield made
    await made.site.close()


async def test_why_a_charger_was_refused_last(shown):
    await shown.site.request("PUT", "/api/chargers/cp1", {"password": PASSWORD})
    assert (await shown.charger())["last_refusal"] is None
    shown.refused("cp1", "a wrong password", address="192.0.2.1")
    shown.here.clock.advance(5)
    shown.refused("cp1", None, address="192.0.2.9")
    told = {"time": "2026-09-21T14:13:25.000Z", "remote_address": "192.0.2.9", "status": 401, "reason": "no credentials"}
    assert (await shown.charger())["last_refusal"] == told
    shown.knock("cp1", PASSWORD)
    connected = await shown.charger()
    assert connected["connected"] and connected["last_refusal"] == told
    for _ in range(10):
        shown.refused("cp1", "a wrong password")
    last = (await shown.charger())["last_refusal"]
    assert (last["status"], last["reason"]) == (429, "wrong password")


async def test_a_refusal_that_is_no_failure_to_authenticate_is_remembered_too(shown):
    shown.here.gateway.stopping = True
    shown.refused()
    assert "503, restarting, " in (await shown.charger(status=404))["detail"]


async def test_of_a_charger_that_nobody_has_registered_the_refusal_is_told_where_nothing_else_is(closed):
    assert "refused" not in (await closed.charger(status=404))["detail"]
    closed.refused()
    told = await closed.charger(status=404)
    assert told["last_refusal"]["reason"] == "nobody has registered it"
    assert "404, nobody has registered it, at 2026-09-21T" in told["detail"] and told["detail"].endswith(" from 192.0.2.7")


async def test_no_more_refusals_are_remembered_than_there_is_room_for(closed, monkeypatch):
    monkeypatch.setattr(last_refusals, "MAX_NAMES", 3)
    for id in ("cp1", "cp2", "cp3", "cp1", "cp4"):
        closed.refused(id)
    known = [id for id in ("cp1", "cp2", "cp3", "cp4") if "last_refusal" in await closed.charger(id, 404)]
    assert known == ["cp1", "cp3", "cp4"]


NOTHING = {"password_rotation": None, "certificate_renewal": None, "wanted_security_profile": None}


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    ("stored", "waits"),
    [
        ({"model": "M"}, {}),
        ({"new_password": "k:s:d"}, {"password_rotation": "waiting"}),
        ({"new_password": "~k:s:d"}, {}),
        ({"new_password": "~k:s:d k:s:e"}, {"password_rotation": "waiting"}),
        ({"issued": "ab"}, {"certificate_renewal": "waiting"}),
        ({"issued": "ab +cd"}, {}),
        ({"issued": "+ab cd"}, {"certificate_renewal": "waiting"}),
        ({"wanted_profile": "2"}, {"wanted_security_profile": 2}),
        ({"wanted_profile": "3-@1790000000"}, {"wanted_security_profile": 3}),
    ],
)
async def test_what_a_charger_was_sent_and_has_not_come_in_with_yet(shown, stored, waits, connected):
    if connected:
        shown.knock()
    shown.store(**stored)  # as another part of the fleet does
    told = await shown.charger()
    assert {name: told[name] for name in NOTHING} == NOTHING | waits


async def test_no_secret_is_shown(shown):
    await shown.site.request("PUT", "/api/chargers/cp1", {"password": PASSWORD})
    stored = shown.here.register.find("cp1").password
    sent = shown.here.gateway.passwords.stored(b"another password")
    shown.store(new_password=sent)
    shown.refused("cp1", "a wrong password")
    text = json.dumps(await shown.charger())
    assert not any(each in text for each in ("a wrong password", PASSWORD, *stored.split(":"), *sent.split(":")))
