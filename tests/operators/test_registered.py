"""The list of the registered chargers of the fleet, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from pytest_twisted import async_yield_fixture

from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from operators_site import Site
from played import Played


@async_yield_fixture
async def site() -> AsyncIterator[Site]:
    here = InMemoryGateway(Settings(name="gw"))
    made = Site(gateway=here.gateway, verdicts=here.application.verdicts)
    made.here = here
    yield made
    await made.close()


async def listed(site: Site, query: str = "") -> tuple[list[str], str | None]:
    status, body = await site.request("GET", f"/api/registered{query}")
    assert status == 200, body
    return [each["id"] for each in body["chargers"]], body["next"]


async def test_whoever_is_decided_about_is_listed_until_that_is_taken_back(site):
    site.here.connect("stranger")
    assert await listed(site) == ([], None)
    for id in ("cp2", "cp1", "a/b&after=c"):
        assert (await site.request("PUT", f"/api/chargers/{quote(id)}", {"password": "generate"}))[0] == 200
    assert await listed(site) == (["a/b&after=c", "cp1", "cp2"], None)
    assert await listed(site, "?limit=2") == (["a/b&after=c", "cp1"], "cp1")
    assert await listed(site, "?limit=1&after=" + quote("a/b&after=c")) == (["cp1"], "cp1")
    assert await listed(site, "?after=cp1") == (["cp2"], None)
    assert (await site.request("DELETE", "/api/chargers/cp1"))[0] == 200
    assert await listed(site) == (["a/b&after=c", "cp2"], None)


async def test_each_is_shown_as_one_charger_is_and_without_secrets(site):
    await site.request("PUT", "/api/chargers/cp1", {"password": "a secret password", "boot_status": "Pending"})
    (shown,) = (await site.request("GET", "/api/registered"))[1]["chargers"]
    one = (await site.request("GET", "/api/chargers/cp1"))[1]
    assert shown == {name: value for name, value in one.items() if name not in ("connected", "last_refusal")}
    assert shown["password"] is True


async def test_one_that_was_sent_a_password_is_registered(site):
    here = site.here
    here.dispatcher.start()
    charger = Played(here, "1.6", url="ws://csms/", profile=0, password=None)
    here.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
    charger.run(5)
    assert here.command_result()["status"] == "Accepted" and await listed(site) == (["cp1"], None)
    charger.simulated.shut_down()
    here.dispatcher.stop()


@pytest.mark.parametrize("query", ["?limit=0", "?limit=1001", "?limit=x", "?limit=-1", "?limit=1&limit=2", "?after=%ff", "?limit=%C2%B2"])
async def test_a_query_that_cannot_be_read(site, query):
    status, body = await site.request("GET", f"/api/registered{query}")
    assert status == 400 and ("limit" in body["detail"] or "after" in body["detail"])


async def test_without_the_store_it_says_so(site):
    site.here.register.available = False
    assert (await site.request("GET", "/api/registered"))[0] == 503
