"""The files of the pages: who gets them, what a browser may do with them, and how often it has to ask for them."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import treq
from pytest_twisted import async_yield_fixture
from twisted.internet.defer import Deferred, gatherResults

import ocpp_tw
from fetch_libraries import LIBRARIES
from fleets import PATIENCE
from ocpp_tw.operators.pages import LIBRARY
from operators_site import Site

SOURCES = Path(ocpp_tw.__file__).parent / "pages"
fetched = pytest.mark.skipif(not (SOURCES / LIBRARY).exists(), reason="the libraries of the pages are missing: python fetch_libraries.py")


@async_yield_fixture
async def site() -> AsyncIterator[Site]:
    made = Site("s3cret")
    yield made
    await made.close()


async def get(site: Site, path: str, method: str = "GET", **headers: str):
    url = f"http://127.0.0.1:{site.port.getHost().port}{path}"
    response = await site.client.request(method, url, headers={"accept-encoding": "identity", **headers})
    return response, await treq.content(response)


def header(response, name: str) -> str:
    return (response.headers.getRawHeaders(name) or [""])[0]


@fetched
async def test_the_page_needs_no_token_and_what_it_shows_does(site):
    response, body = await get(site, "/")
    assert (response.code, header(response, "content-type")) == (200, "text/html; charset=utf-8")
    assert b'<div id="app">' in body
    assert (await get(site, "/api/chargers"))[0].code == 401


@fetched
async def test_a_page_runs_only_what_comes_from_the_gateway(site):
    response, body = await get(site, "/")
    policy = header(response, "content-security-policy")
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert header(response, "x-content-type-options") == "nosniff"
    assert header(response, "referrer-policy") == "no-referrer"
    assert not re.search(rb"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", body)


@fetched
async def test_a_browser_asks_for_a_file_once_in_each_version(site):
    response, body = await get(site, "/")
    assert header(response, "cache-control") == "no-cache"
    again, nothing = await get(site, "/", **{"if-none-match": header(response, "etag")})
    assert (again.code, nothing) == (304, b"")
    for path in re.findall(r'(?:src|href)="(pages/[^"]+)"', body.decode()):
        response, _ = await get(site, f"/{path}")
        assert (response.code, header(response, "cache-control")) == (200, "public, max-age=31536000, immutable"), path
    version = re.search(rb"pages/(\w+)/", body)[1].decode()
    other, _ = await get(site, f"/pages/{'0' * len(version)}/main.js")  # of a gateway of another release at the same address
    assert (other.code, header(other, "cache-control")) == (200, "no-cache")


def test_all_modules_are_asked_for_at_once():
    """Else a browser finds them one behind the other, as they import each other."""
    preloaded = re.findall(r'modulepreload" href="pages/{VERSION}/([^"]+)"', (SOURCES / "index.html").read_text())
    own = {path.name for path in SOURCES.glob("*.js")} - {"main.js", "theme.js"}
    libraries = {name for library in LIBRARIES for name in library.files.values() if name.endswith(".js")}
    assert sorted(preloaded) == sorted(own | {f"vendor/{name}" for name in libraries})


@fetched
async def test_files_are_compressed_for_who_can_read_that(site):
    _, body = await get(site, "/pages/any/vendor/uplot.js")
    response, packed = await get(site, "/pages/any/vendor/uplot.js", **{"accept-encoding": "gzip, br"})
    assert header(response, "vary") == "accept-encoding"
    # the client unpacks what it has asked for itself, and leaves the header
    assert (gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed) == body


@fetched
@pytest.mark.parametrize(
    "path",
    [
        "/pages/",
        "/pages/any",
        "/pages/any/",
        "/pages/any/../operators/api.py",
        "/pages/any/..%2fpy.typed",
        "/pages/any/vendor/pins.json",
        "/pages/any/%ff",
    ],
)
async def test_nothing_else_is_served(site, path):
    assert (await get(site, path))[0].code in (400, 404)


async def test_pages_are_only_read(site):
    assert (await get(site, "/", "POST"))[0].code == 401
    assert (await get(site, "/", "POST", authorization="Bearer s3cret"))[0].code == 405


@fetched
async def test_without_a_token_pages_are_for_this_machine_only():
    site = Site()
    assert (await get(site, "/"))[0].code == 200
    assert (await get(site, "/", host="evil.example"))[0].code == 403
    await site.close()


async def test_strangers_who_ask_for_pages_are_limited(site):
    codes: set[int] = set()
    until = time.monotonic() + PATIENCE
    while 429 not in codes and time.monotonic() < until:  # many at once: one after another may be as slow as is allowed
        found = await gatherResults([Deferred.fromCoroutine(get(site, "/", "HEAD")) for _ in range(50)])
        codes |= {response.code for response, _ in found}
    assert 429 in codes
    assert (await get(site, "/", authorization="Bearer s3cret"))[0].code in (200, 503)


async def test_without_the_libraries_the_page_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setattr("ocpp_tw.operators.pages.files", lambda package: tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/index.html").write_text("<!doctype html>")
    site = Site()
    response, body = await get(site, "/")
    assert (response.code, b"fetch_libraries.py" in body) == (503, True)
    assert (await get(site, "/api/chargers"))[0].code == 200
    await site.close()


def test_no_module_makes_markup_of_text():
    """Whatever a charger says is text: by the view library, or as textContent."""
    for path in SOURCES.glob("*.js"):
        found = re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|\beval\(|new Function|setAttribute\(.style",
            path.read_text(),
        )
        assert not found, (path.name, found)
