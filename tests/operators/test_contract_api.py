"""The contract for machines by HTTP, beside all other routes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet.defer import fail, succeed

from ocpp_tw.contract.documents import as_json
from ocpp_tw.operators.contract_api import ContractApi
from operators_site import Site


@pytest_twisted.async_yield_fixture
async def site() -> AsyncIterator[Site]:
    it = Site(token="secret", others=[ContractApi(lambda name: succeed(as_json(name)))])
    yield it
    await it.close()


@pytest.mark.parametrize(("name", "member"), [("openapi", "openapi"), ("backend", "openapi"), ("asyncapi", "asyncapi")])
async def test_whoever_may_read_gets_the_documents(site: Site, name: str, member: str) -> None:
    path = f"/api/{name}.json"
    assert (await site.request("GET", path))[0] == 401
    status, document = await site.request("GET", path, authorization="Bearer secret")
    assert status == 200 and member in document and document["info"]["title"]
    assert site.headers.getRawHeaders("content-type") == ["application/json"]


async def test_what_there_is_not_is_told_as_everywhere(site: Site) -> None:
    assert await site.request("GET", "/api/openapi.jsonx", authorization="Bearer secret") == (404, {"detail": "Not Found"})
    assert await site.request("PUT", "/api/openapi.json", {}, authorization="Bearer secret") == (405, {"detail": "Method Not Allowed"})
    assert "GET" in site.headers.getRawHeaders("allow")[0]


async def test_the_other_routes_are_there_as_ever(site: Site) -> None:
    assert (await site.request("GET", "/healthz"))[0] == 200
    assert await site.request("GET", "/api/chargers", authorization="Bearer secret") == (200, [])


async def test_a_document_that_cannot_be_made_is_an_error_and_told_in_the_log(tidy) -> None:
    site = Site(others=[ContractApi(lambda name: fail(ValueError("no document")))])
    status, answer = await site.request("GET", "/api/openapi.json")
    await site.close()
    assert (status, answer) == (500, {"detail": "Internal error, see the log"})
    (failure,) = tidy
    assert failure["log_failure"].getErrorMessage() == "no document"
    tidy.clear()
