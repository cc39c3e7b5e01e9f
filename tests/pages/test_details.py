"""What pages tell of a charger in words, in links and in forms that fit a window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from plain_charger import PlainCharger
from visited_pages import House


def test_a_charger_that_charges_is_left_without_an_error(visit, charger):
    """The chart is watched for its size, also while it goes."""
    at = charger("left")
    transaction = at.start("TAG", 1000)
    page = visit.charger("left")
    for energy in range(1100, 7000, 100):  # of those between two sweeps the curve has one
        at.meter(transaction, 11000, energy)
        if page.locator(".chart canvas").count():
            break
        page.wait_for_timeout(1000)
    for width in (900, 700, 1200):
        expect(page.locator(".chart canvas")).to_be_visible()
        page.set_viewport_size({"width": width, "height": 800})
        page.keyboard.press("g")
        page.keyboard.press("o")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.set_viewport_size({"width": width + 50, "height": 800})
        page.go_back()
    expect(page.locator(".chart canvas")).to_be_visible()
    assert visit.said == []


def test_tabs_are_links_to_what_they_show(visit, charger):
    charger("tabbed")
    page = visit.charger("tabbed")
    tabs = page.get_by_role("navigation", name="About this charger")
    expect(tabs.get_by_role("link", name="Events")).to_have_attribute("href", "#/chargers/tabbed?tab=events")
    expect(tabs.get_by_role("link", name="Frames")).to_have_attribute("href", "#/chargers/tabbed")
    tabs.get_by_role("link", name="Events").click()
    expect(page).to_have_url(re.compile(r"\?tab=events$"))
    expect(tabs.get_by_role("link", name="Events")).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_one_that_is_not_accepted_is_said_why(visit, house, status):
    id = f"judged-{status}"
    house.gateway.put(f"/api/chargers/{id}", {"boot_status": status})
    at = PlainCharger(house.gateway.port, id)
    at.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    page = visit.charger(id)
    expect(page.get_by_role("alert").filter(has_text=f"Its BootNotification was answered {status}")).to_contain_text(
        "an operator has decided so"
    )
    house.gateway.put(f"/api/chargers/{id}", {"boot_status": "Accepted"})
    at.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    expect(page.get_by_text("Its BootNotification was answered")).to_have_count(0)
    at.close()


def test_running_transactions_are_counted_and_newest_first(visit, charger):
    at = charger("several")
    first = at.start("TAG-OLD")
    at.call("StartTransaction", {"connectorId": 2, "idTag": "TAG-NEW", "meterStart": 0, "timestamp": "2030-01-01T00:00:00Z"})
    page = visit.open("#/transactions?charger=several&state=running")
    expect(page.get_by_text("2 running", exact=True)).to_be_visible()
    page = visit.charger("several")
    expect(page.locator("section.running")).to_have_count(2)
    expect(page.locator("section.running").last).to_contain_text(str(first))


def test_the_same_trouble_many_times_is_one_line_in_words(visit, house):
    at = PlainCharger(house.gateway.port, "repeating")
    at.boot()
    refused = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
    house.gateway.put("/api/chargers/repeating", {"boot_status": "Rejected"})
    at.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    for _ in range(4):
        at.call("StatusNotification", refused)
    at.close()
    page = visit.open("#/troubles?charger=repeating")
    table = page.get_by_role("table", name="Troubles")
    rows = table.locator("tbody tr").filter(has_text="Message refused")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(re.compile(r"\d+ times since"))
    text = table.inner_text()
    assert "left out: 0" not in text and "over: false" not in text and "count: 1" not in text


def test_what_a_trouble_tells_is_in_words(visit):
    page = visit.open("#/troubles")
    told = page.evaluate(
        """async () => {
          const { detailOf, folded } = await import(document.querySelector("link[href*='troubles.js']").href);
          const row = (event, more) => ({ event, time: "2026-01-01T00:00:00Z", gateway: "g", charger: "c", ...more });
          return [
            detailOf(row("silent", { seconds: 1861, over: false })),
            detailOf(row("authentication_failed", { reason: "wrong password", status: 401, remote_address: "1.2.3.4", count: 1, left_out: 0 })),
            detailOf(row("flapping", { connects: 10, seconds: 120 })),
            folded([row("silent", { seconds: 1 }), row("flapping", { connects: 1, seconds: 1 }), row("silent", { seconds: 9 })]).map((each) => each.times),
          ];
        }"""
    )
    assert told == ["for 31 min", "wrong password · answered 401 · from 1.2.3.4", "connected 10 times · within 2 min", [2, 1]]


def test_a_long_form_is_folded_and_its_help_is_for_readers(visit, house):
    at = PlainCharger(house.gateway.port, "folded", ocpp="2.1")
    page = visit.charger("folded", "?tab=command&command=SetChargingProfile")
    form = page.locator("form.command")
    expect(form.get_by_label(re.compile("^evseId"))).to_be_visible()
    expect(form).not_to_contain_text("urn:x-")
    expect(form).not_to_contain_text("image::")
    assert form.evaluate("form => form.getBoundingClientRect().height") < 2500
    expect(form.get_by_label(re.compile("^validFrom"))).to_have_count(0)
    form.locator("summary").filter(has_text="validFrom").click()
    expect(form.get_by_label(re.compile("^validFrom"))).to_be_visible()
    at.close()


def test_a_very_long_identity_is_not_wider_than_the_window(tmp_path, chromium):
    own = House(tmp_path, "--max-identity", "255")
    id = "x" * 255
    at = PlainCharger(own.gateway.port, id)
    at.boot()
    at.start("TAG")
    context = chromium.context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        for hash in (
            f"#/chargers/{id}",
            f"#/chargers/{id}?tab=events",
            f"#/chargers?search={id}",
            "#/transactions",
            f"#/commands?send=many&search={id}",
        ):
            page.goto(own.url(hash))
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_timeout(500)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, hash
    finally:
        context.close()
        at.close()
        own.close()


def test_commands_that_a_charger_refuses_are_counted_apart(visit, charger):
    made = [charger(f"apart-{i}") for i in range(3)]
    made[2].answers["ClearCache"] = lambda payload: {"status": "Rejected"}
    page = visit.open("#/commands?send=many&search=apart-&command=clear_cache")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send to 3 chargers").click()
    progress = page.locator(".progress")
    expect(progress).to_contain_text("clear_cache: done, 3 of 3")
    expect(progress).to_contain_text("Rejected")
    expect(progress).not_to_contain_text("All of them answered.")
    expect(progress.get_by_role("table", name="Failed").locator("tbody tr")).to_have_count(1)
    expect(progress.get_by_role("table", name="Failed")).to_contain_text("apart-2")
