"""What pages say while Redis does not answer, where a stream is refused, and where a gateway is gone: nothing partial is shown as if it were all."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import Browser
from plain_charger import PlainCharger
from visited_pages import House, Visit

ONLY = "Only this gateway (gw-live) is shown: Redis"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    built.close()


@pytest.fixture
def look(own: House, chromium: Browser) -> Iterator[Callable[[str], Any]]:
    context = chromium.context()
    visit = Visit(context, own.url())
    yield visit.open
    context.close()


def test_while_redis_does_not_answer_every_page_says_that_it_is_one_gateway_s_only(own, look):
    at = PlainCharger(own.gateway.port, "left-alone")
    at.boot()
    at.start("TAG")
    page = look("#/")
    expect(page.get_by_text("Redis connected")).to_be_visible()
    expect(page.get_by_text("Nothing went wrong, as far as is remembered.")).to_be_visible()
    own.valkey.kill()
    banner = page.get_by_role("alert").filter(has_text=ONLY)
    expect(banner).to_have_count(1)
    expect(page.get_by_text("Redis connected")).to_have_count(0)
    expect(page.get_by_text("unread by the backend")).to_have_count(0)
    expect(page.get_by_text("Nothing went wrong")).to_have_count(0)
    expect(page.get_by_text("What went wrong cannot be read at the moment")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(banner).to_have_count(1)
    send = page.get_by_role("link", name="Send a command to it, only those of this gateway")
    expect(send).to_be_visible()
    send.click()
    expect(banner).to_have_count(1)
    expect(page.get_by_text("1 chargers of this gateway only (gw-live)")).to_be_visible()
    for hash in ("#/transactions?state=running", "#/chargers/left-alone"):
        look(hash)
        expect(banner).to_have_count(1)
    at.close()


def test_lists_that_cannot_be_read_are_not_said_to_be_empty(own, look):
    own.valkey.kill()
    for hash in ("#/transactions?state=ended", "#/commands", "#/troubles"):
        page = look(hash)
        expect(page.get_by_text("cannot be read at the moment").first).to_be_visible()
        expect(page.get_by_text("as far as is remembered")).to_have_count(0)
        expect(page.get_by_role("alert").filter(has_text="Redis").first).to_be_visible()


def test_a_stream_that_is_refused_is_said_why_and_its_page_is_looked_at_all_the_same(own, look):
    with ExitStack() as stack:
        for _ in range(64):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", own.gateway.http)))
            line.sendall(b"GET /api/watch/overview HTTP/1.1\r\nHost: localhost\r\n\r\n")
            line.recv(1000)
        page = look("#/")
        expect(page.get_by_role("alert").filter(has_text="as it cannot be followed")).to_contain_text("streams")
        expect(page.locator("a.tile").first).to_be_visible()
        page.goto(own.url("#/chargers"))
        expect(page.get_by_role("alert").filter(has_text="as it cannot be followed")).to_contain_text("streams")
        at = PlainCharger(own.gateway.port, "polled")
        at.boot()
        expect(page.get_by_role("link", name="polled")).to_be_visible()
        at.close()
    expect(page.get_by_text("as it cannot be followed")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="polled")).to_contain_text("away")


def test_a_gateway_tells_how_its_backend_is(visit):
    page = visit.open()
    row = page.get_by_role("table", name="Gateways and workers").get_by_role("row").filter(has_text="gw-live")
    expect(row.locator("td[data-label=Backend]")).to_have_text("not asked")


def test_frames_that_went_with_their_gateway_are_said_to_be_gone(own, look):
    at = PlainCharger(own.gateway.port, "restarted")
    at.boot()
    at.close()
    own.gateway.stop()
    own.gateway.start()
    page = look("#/chargers/restarted")
    expect(page.get_by_text("Away since")).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"No frames are there: they are in the memory of the gateway that had the charger \(gw-live\)"))
    ).to_be_visible()
