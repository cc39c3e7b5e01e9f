"""Chargers that are not ours, the ChargePoints of the distribution `ocpp` over `websockets`, in each of OCPP's security profiles: with the right
credentials, and with wrong ones of each kind."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import pytest
import websockets

from certificates import Made, revocation_list
from fleets import PATIENCE

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more addresses than one without setup")]

MODULES = {"1.6": ocpp.v16, "2.0.1": ocpp.v201, "2.1": ocpp.v21}
PASSWORD, OTHER = "a password from the factory", "a password of another one"


class Fleet:
    """A gateway whose chargers cp0 to cp3 have to come in with the profile of their number, and the authority of their certificates."""

    def __init__(self, start: Any, directory: Path) -> None:
        self.own, self.root, self.stranger = Made("gateway"), Made("root"), Made("root")
        self.directory = directory
        self.crl = directory / "crl.pem"
        (directory / "ca.pem").write_bytes(self.root.certificate)
        self.crl.write_bytes(revocation_list(self.root))
        authorities = "--tls-client-ca", str(directory / "ca.pem"), "--tls-client-crl", str(self.crl)
        self.gateway = start("--security-profile", "0", "--tls", self.own.write(directory / "tls.pem"), "--tls-only", "no", *authorities)
        for id, decision in {"cp1": 1, "cp2": 2, "cp3": 3, "other": 1}.items():
            password = {"password": OTHER if id == "other" else PASSWORD} if id != "cp3" else {}
            assert self.gateway.put(f"/api/chargers/{id}", {"security_profile": decision, **password})[0] == 200
        self.attempts = 1

    def certificate(self, name: str = "cp3", issuer: Made | None = None, **more: Any) -> Made:
        return Made(name, issuer=issuer or self.root, authority=False, **more)

    async def comes(
        self, version: str, id: str, user: str = "", password: str = "", tls: bool = False, certificate: Made | None = None
    ) -> tuple[str, int]:
        """What BootNotification is answered, and the security profile; or "" and the status of the handshake."""
        self.attempts += 1
        trust: ssl.SSLContext | None = None
        if certificate is not None:
            trust = self.own.proving(certificate, file=self.directory / "charger.pem")
        elif tls:
            trust = self.own.trust
        shown = {"Authorization": "Basic " + b64encode(f"{user or id}:{password}".encode()).decode()} if password else {}
        try:
            async with websockets.connect(
                f"{'wss' if trust else 'ws'}://127.0.0.1:{self.gateway.port}/{id}", subprotocols=[f"ocpp{version}"], ssl=trust,
                additional_headers=shown, local_addr=(f"127.0.1.{self.attempts}", 0), open_timeout=PATIENCE,
            ) as line:  # fmt: skip
                return await self._boots(version, id, line)
        except websockets.InvalidStatus as why:
            return "", why.response.status_code

    async def _boots(self, version: str, id: str, line: Any) -> tuple[str, int]:
        module: Any = MODULES[version]
        charger = module.ChargePoint(id, line, response_timeout=PATIENCE)
        serving = asyncio.create_task(charger.start())
        if version == "1.6":
            boot = module.call.BootNotification(charge_point_model="M", charge_point_vendor="V")
        else:
            boot = module.call.BootNotification(charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp")
        answer = await charger.call(boot)
        _, found = await asyncio.to_thread(self.gateway.get, f"/api/chargers/{id}")
        serving.cancel()
        return str(answer.status.value if hasattr(answer.status, "value") else answer.status), found["security_profile"]


@pytest.fixture
def fleet(start: Any, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(start, tmp_path)
    yield made
    assert "Traceback" not in made.gateway.log.read_text()


@pytest.mark.parametrize("version", MODULES)
def test_with_the_right_credentials_a_charger_comes_in_with_its_profile(fleet, version):
    async def scenario() -> None:
        assert await fleet.comes(version, "cp0") == ("Accepted", 0)
        assert await fleet.comes(version, "cp1", password=PASSWORD) == ("Accepted", 1)
        assert await fleet.comes(version, "cp2", password=PASSWORD, tls=True) == ("Accepted", 2)
        assert await fleet.comes(version, "cp3", certificate=fleet.certificate()) == ("Accepted", 3)
        assert await fleet.comes(version, "new", certificate=fleet.certificate("new")) == ("Accepted", 3)

    asyncio.run(scenario())


@pytest.mark.parametrize("version", MODULES)
def test_with_wrong_ones_none_does_and_the_right_ones_are_still_good(fleet, version, events):
    wrong = [
        ("cp1", {}, 401),
        ("cp1", {"password": PASSWORD[:-1]}, 401),
        ("cp1", {"user": "other", "password": OTHER}, 401),
        ("cp1", {"certificate": fleet.certificate("other")}, 403),
        ("cp2", {"tls": True}, 401),
        ("cp2", {"password": OTHER, "tls": True}, 401),
        ("cp2", {"password": PASSWORD}, 403),  # in the clear: a lower profile than it has to have
        ("cp3", {"tls": True}, 401),
        ("cp3", {"password": PASSWORD, "tls": True}, 401),
        ("cp3", {"certificate": fleet.certificate("other")}, 403),
        ("cp3", {"certificate": fleet.certificate(issuer=fleet.stranger)}, 403),
        ("cp3", {"certificate": fleet.certificate(begin=-9, days=5)}, 403),
        ("cp3", {"certificate": fleet.certificate(begin=3)}, 403),
        ("nobody", {"password": PASSWORD, "user": "cp1"}, 0),  # of whom nothing is known, and nothing is asked
    ]

    async def scenario() -> None:
        for id, shown, status in wrong:
            came = await fleet.comes(version, id, **shown)
            assert came == (("", status) if status else ("Accepted", 0)), (id, shown, came)
        assert await fleet.comes(version, "cp1", password=PASSWORD) == ("Accepted", 1)
        assert await fleet.comes(version, "cp2", password=PASSWORD, tls=True) == ("Accepted", 2)
        assert await fleet.comes(version, "cp3", certificate=fleet.certificate()) == ("Accepted", 3)

    asyncio.run(scenario())
    refused = [each["data"]["charger"] for each in events() if each["event"] == "authentication_failed"]
    assert set(refused) == {"cp1", "cp2", "cp3"}
    assert PASSWORD not in str(events()) and OTHER not in str(events())


def test_a_certificate_that_is_revoked_is_refused_once_the_list_is_read(fleet):
    mine, next_one = fleet.certificate(), fleet.certificate()

    async def scenario() -> None:
        assert await fleet.comes("2.0.1", "cp3", certificate=mine) == ("Accepted", 3)
        fleet.crl.write_bytes(revocation_list(fleet.root, mine))
        fleet.gateway.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(fleet.gateway.until, lambda: fleet.gateway.log.read_text().count("revocation lists") == 2)
        assert await fleet.comes("2.0.1", "cp3", certificate=mine) == ("", 403)
        assert await fleet.comes("2.0.1", "cp3", certificate=next_one) == ("Accepted", 3)

    asyncio.run(scenario())
