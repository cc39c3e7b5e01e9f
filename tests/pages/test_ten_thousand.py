"""Every page with ten thousand chargers: what it shows is right, and what it costs depends on what it shows and not on how many there are.

One test, as the fleet takes the better part of a minute to come: `make large`, which prints how long each page took to show its first row.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

import large_fleet
from large_fleet import CHARGING, FAULTED, IDLE, OTHERS, TOTAL, LargeFleet
from page_traffic import PageTraffic
from visited_pages import House, Visit

pytestmark = pytest.mark.large

LARGEST = 400_000
"""Bytes of any answer, or of what a stream tells within some seconds: a hundred rows are some sixty thousand, and all would be millions."""

ELEMENTS = 6000
"""Most elements of a page: a row has some thirty."""

WATCHED = 6.0
"""Seconds for which a page is looked at."""

REQUESTS = 6
"""Most requests of a page in that time: lists ask again every five seconds, and the others follow a stream."""

PAGE = 100
"""Rows of a page of the list."""


class Looks:
    """What one does on a page, with how long it took and what it cost."""

    def __init__(self, visit: Visit) -> None:
        self.page = visit.page
        self.base = visit.base
        self.traffic = PageTraffic(visit.page)
        self.told: list[str] = []

    def first(self, what: str, do: Callable[[], Any], shown: str) -> None:
        """Do that, and wait until what the selector says is shown."""
        self.traffic.forget()
        begun = time.perf_counter()
        do()
        self.page.locator(shown).first.wait_for()
        took = time.perf_counter() - begun
        self.told.append(f"{took * 1000:6.0f} ms  {self.traffic.total() / 1000:6.0f} kB  {what}")
        self.within_bounds()

    def open(self, what: str, hash: str, shown: str) -> None:
        """A page as one comes to it by its address, with all that the browser has to load for it."""
        self.page.goto("about:blank")
        self.first(what, lambda: self.page.goto(self.base + hash), shown)

    def watch(self) -> None:
        """Look on for a while."""
        self.traffic.forget()
        self.page.wait_for_timeout(WATCHED * 1000)
        assert self.traffic.requests <= REQUESTS, self.traffic.requests
        self.within_bounds()

    def within_bounds(self) -> None:
        assert self.traffic.largest()[0] <= LARGEST, self.traffic.largest()
        assert self.page.evaluate("document.querySelectorAll('*').length") <= ELEMENTS

    def ids(self) -> list[str]:
        return list(self.page.locator("tbody .id").all_inner_texts())


@pytest.fixture
def fleet(tmp_path: Any) -> Iterator[LargeFleet]:
    if missing := large_fleet.missing():
        pytest.skip(missing)
    house = House(tmp_path)
    try:
        made = LargeFleet(house)
        yield made
        made.close()
    finally:
        house.close()


def test_every_page_is_right_and_light_with_ten_thousand_chargers(fleet, chromium):
    context = chromium.context()
    visit = Visit(context, fleet.house.url())
    looks = Looks(visit)
    looks.told.append(f"{fleet.seconds * 1000:6.0f} ms  until all {TOTAL:,} chargers are there")
    try:
        overview(looks)
        chargers(looks)
        one_charger(looks, fleet)
        transactions(looks)
        live(looks, fleet)
        command_to_all(looks, fleet)
        away(looks, fleet)
        assert not visit.said, visit.said
    except BaseException as why:
        for note in (visit.said, looks.page.locator("body").inner_text()[:2000], fleet.house.gateway.log.read_text()[-3000:]):
            why.add_note(str(note))
        raise
    finally:
        print("", *looks.told, sep="\n")
        context.close()


def tile(page: Any, label: str) -> Any:
    return page.locator("a.tile").filter(has=page.locator(".label", has_text=re.compile(f"^{label}$")))


def overview(looks: Looks) -> None:
    page = looks.page
    looks.open("overview", "#/", "a.tile")
    for label, number in (("Chargers", TOTAL), ("charging", CHARGING), ("faulted", FAULTED), ("away", 0)):
        expect(tile(page, label).locator(".value")).to_have_text(f"{number:,}")
    expect(tile(page, "Power now").locator(".value")).to_have_text(re.compile(r"^[\d.]+ MW$"))
    looks.watch()
    looks.first("from the number of those that are faulted to their list", tile(page, "faulted").click, "tbody .id")
    expect(page.locator("tbody tr")).to_have_count(FAULTED)


def chargers(looks: Looks) -> None:
    page = looks.page
    rows = page.locator("tbody tr")
    count = page.locator("h1 + [role=status]")
    looks.open("chargers", "#/chargers", "tbody .id")
    expect(rows).to_have_count(PAGE)
    expect(count).to_have_text(f"{TOTAL:,}")
    assert looks.ids() == [f"charging-{number:03}" for number in range(1, PAGE + 1)]

    looks.first("the last page", page.get_by_role("button", name="Last", exact=True).click, f"tbody .id >> text=other-{OTHERS}")
    assert looks.ids() == [f"other-{number:04}" for number in range(OTHERS - PAGE + 1, OTHERS + 1)]
    expect(page).to_have_url(re.compile(f"offset={TOTAL - PAGE}$"))
    looks.watch()
    looks.first("the last page by its address", page.reload, "tbody .id")
    assert looks.ids()[-1] == f"other-{OTHERS}"

    search = page.get_by_label("Search", exact=True)
    looks.first("search of one", lambda: search.fill("idle-4321"), "tbody .id >> text=idle-4321")
    expect(rows).to_have_count(1)
    assert "offset" not in page.url and "search=idle-4321" in page.url
    search.fill("")
    expect(count).to_have_text(f"{TOTAL:,}")

    by_power = page.get_by_role("button", name="Power")
    looks.first("sorted by power, the least first", by_power.click, "tbody tr:first-child .id >> text=faulted-00")
    looks.first("the most first", by_power.click, "tbody tr:first-child .id >> text=/^charging-/")
    expect(page).to_have_url(re.compile("sort=-power_w"))
    assert all(id.startswith("charging-") for id in looks.ids())

    for label, choice, number in (("OCPP", "2.0.1", OTHERS), ("Model", "AC 22", FAULTED), ("Firmware", "1.0", FAULTED)):
        looks.open("chargers again", "#/chargers", "tbody .id")
        page.get_by_label(label).select_option(choice)
        expect(count).to_have_text(re.compile(f"^{number:,} fit"))
        expect(rows).to_have_count(min(number, PAGE))


def one_charger(looks: Looks, fleet: LargeFleet) -> None:
    page = looks.page
    looks.open("a charger that charges", "#/chargers/charging-250", "section.running")
    expect(page.locator("section.running")).to_contain_text("kW")
    expect(page.locator("li.frame").filter(has_text="MeterValues").first).to_be_visible()
    looks.watch()
    looks.open("a charger that is faulted", f"#/chargers/{fleet.faulted[7].id}", "li.frame")
    frames = page.locator("li.frame")
    expect(page.get_by_text(re.compile("^live"))).to_be_visible()
    fleet.faulted[7].call("Heartbeat", {})
    expect(frames.filter(has_text="Heartbeat")).to_have_count(2)


def transactions(looks: Looks) -> None:
    page = looks.page
    table = page.get_by_role("table", name="Transactions")
    looks.open("transactions", "#/transactions", "tbody tr .id")
    expect(page.get_by_text(f"{PAGE} running, and more")).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(PAGE)
    looks.watch()
    page.get_by_role("button", name="Show more").click()
    expect(table.locator("tbody tr")).to_have_count(2 * PAGE)
    page.get_by_label("Charger", exact=True).fill("charging-499")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("charging-499")


def live(looks: Looks, fleet: LargeFleet) -> None:
    page = looks.page
    looks.open("live, until a charger says something", "#/live", "li.frame")
    looks.watch()
    page.get_by_label("Charger", exact=True).fill(fleet.faulted[3].id)
    expect(page.get_by_text("live · 0 of 0 frames")).to_be_visible()
    fleet.faulted[3].call("Heartbeat", {})
    expect(page.locator("li.frame")).to_have_count(2)
    looks.open("live events", "#/live?what=events", "text=/^live/")
    fleet.faulted[4].status("Available")
    expect(page.locator("li.frame").filter(has_text=fleet.faulted[4].id)).to_have_count(1)
    fleet.faulted[4].status("Faulted", "GroundFailure")


def command_to_all(looks: Looks, fleet: LargeFleet) -> None:
    page = looks.page
    fleet.faulted[0].answers["ClearCache"] = lambda payload: {"status": "Rejected"}
    looks.open("commands", "#/commands", "h1")
    looks.open("chargers for a command", "#/chargers", "tbody .id")
    page.get_by_role("link", name=f"Send a command to these {TOTAL:,}").click()
    page.locator("select[name=command]").select_option("clear_cache")
    page.once("dialog", lambda dialog: dialog.accept())
    progress = page.locator(".progress")
    looks.first("a command to all, until its progress is seen", page.get_by_role("button", name=f"Send to {TOTAL:,}").click, ".progress")
    expect(progress).to_contain_text(re.compile(rf"[1-9][\d,]* of {TOTAL:,}"))
    looks.first("a command to all, until all have answered", lambda: None, f".progress >> text=/: done, {TOTAL:,} of {TOTAL:,}$/")
    expect(progress).to_contain_text(re.compile("Rejected"))
    assert [each.asked for each in fleet.faulted] == [[("ClearCache", {})]] * FAULTED
    looks.open("commands that were given", "#/commands", "tbody tr .id")
    expect(page.get_by_role("table", name="Commands").last.locator("tbody tr")).to_have_count(PAGE)


def away(looks: Looks, fleet: LargeFleet) -> None:
    """Those that charge are cut off while somebody looks."""
    page = looks.page
    looks.open("overview again", "#/", "a.tile")
    fleet.charging.kill()
    expect(tile(page, "away").locator(".value")).to_have_text(f"{CHARGING:,}")
    expect(tile(page, "Chargers").locator(".value")).to_have_text(f"{TOTAL:,}")
    tile(page, "away").click()
    expect(page.locator("h1 + [role=status]")).to_have_text(re.compile(f"^{CHARGING:,} fit"))
    assert all(id.startswith("charging-") for id in looks.ids())
    assert len(looks.ids()) == PAGE
    assert IDLE + OTHERS + FAULTED == TOTAL - CHARGING
