"""What pages say while Redis does not answer, where a stream is refused, and where a gateway is gone: nothing partial is shown as if it were all."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import Browser
from fleets import PATIENCE
from gateway_process import Process
from plain_charger import PlainCharger
from visited_pages import House, Visit

ONLY = "Only this gateway (gw-live) is shown: Redis"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    built.close()


@pytest.fixture
def second(own: House, tmp_path: Path) -> Iterator[Process]:
    (directory := tmp_path / "second").mkdir()
    gateway = Process(directory, own.valkey.url, "--name", "gw-second")
    yield gateway
    gateway.close()


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
    expect(banner).to_have_text(re.compile(r"[^.]\.$"))
    expect(page.get_by_text("Redis connected")).to_have_count(0)
    expect(page.get_by_text("unread by the backend")).to_have_count(0)
    expect(page.get_by_text("Nothing went wrong")).to_have_count(0)
    expect(page.get_by_text("What went wrong cannot be read at the moment")).to_have_text(re.compile(r"[^.]\.$"))
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


def test_a_redis_that_is_full_is_not_said_not_to_answer(own, look):
    page = look("#/")
    expect(page.get_by_text("Redis connected")).to_be_visible()
    at = PlainCharger(own.gateway.port, "full")
    own.valkey("CONFIG", "SET", "maxmemory", "1")
    at.boot()
    told = page.get_by_role("alert").filter(has_text="OOM").first
    expect(told).to_be_visible()
    expect(told).not_to_contain_text("Redis does not answer")
    expect(page.get_by_text("Redis takes no writes", exact=True)).to_be_visible()
    expect(page.get_by_text("Redis away")).to_have_count(0)
    expect(page.get_by_role("table", name="Gateways and workers").get_by_role("row").filter(has_text="gw-live")).to_contain_text(
        "takes no writes"
    )
    expect(page.get_by_text("unread by the backend")).to_be_visible()
    expect(told).to_have_text(re.compile(r"[^.]\.$"))
    for hash in ("#/commands", "#/troubles"):
        look(hash)
        expect(
            page.get_by_role("alert").filter(has_text="What has happened since is not shown yet: Redis takes no writes: OOM")
        ).to_be_visible()
    own.valkey("CONFIG", "SET", "maxmemory", "0")
    at.close()


def test_events_of_an_outage_which_have_no_number_do_not_hide_each_other(own, look):
    at = PlainCharger(own.gateway.port, "outage")
    at.boot()
    own.valkey.kill()
    for _ in range(3):
        at.status("Unavailable")
    page = look("#/chargers/outage?tab=events")
    shown = page.locator("li.frame.event").filter(has=page.locator(".action", has_text="Status"))
    expect(shown).to_have_count(4)
    for n in range(5, 8):
        at.status("Available")
        expect(shown).to_have_count(n)
    page.reload()
    expect(shown).to_have_count(7)
    shown.last.get_by_role("button").click()
    expect(page.locator(".pair")).to_have_count(1)
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


def test_since_when_a_gateway_is_gone_is_in_the_list_of_gateways_and_among_the_troubles(own, second, look):
    chargers = [PlainCharger(second.port, f"of-second-{number}") for number in range(2)]
    for each in chargers:
        each.boot()
    page = look("#/")
    gateways = page.get_by_role("table", name="Gateways and workers").get_by_role("row")
    expect(gateways.filter(has_text="gw-second")).to_contain_text("connected")

    def reports_them() -> bool:
        """It says every ten seconds that it is there, and with how many chargers."""
        return b",2,false]" in (own.valkey("HGET", "ocpp:fleet:gateways", "gw-second") or b"")

    second.until(reports_them)
    second.stop(signal.SIGKILL)
    expect(gateways.filter(has_text="gw-second")).to_contain_text(re.compile(r"gone since [\d:]+, with 2 chargers"))
    expect(gateways.filter(has_text="gw-live")).to_contain_text("connected")
    own.gateway.until(lambda: own.gateway.get("/api/troubles?kind=gateway_gone")[1]["rows"], 2 * PATIENCE)
    troubles = page.get_by_role("table", name="Troubles").get_by_role("row").filter(has_text="Gateway gone")
    expect(troubles).to_have_count(1)
    expect(troubles).to_contain_text("gateway gw-second is gone: it was there last at")
    second.start()
    expect(gateways.filter(has_text="gw-second")).to_contain_text("connected")
    expect(troubles).to_have_count(2)
    expect(troubles.first).to_contain_text("Gateway gone is over")
    page.goto(own.url("#/troubles"))
    page.get_by_label("What").select_option("Gateway gone")
    expect(page.get_by_role("table", name="Troubles").locator("tbody tr")).to_have_count(2)
    for each in chargers:
        each.close()
