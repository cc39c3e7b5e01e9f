"""The overview moves as chargers come, and each of its numbers leads to the list behind it."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def tile(page, label: str):
    return page.locator("a.tile").filter(has=page.locator(".label", has_text=re.compile(f"^{label}$")))


def value(page, label: str):
    return tile(page, label).locator(".value")


def test_a_charger_that_comes_charges_and_leaves_is_seen_without_a_reload(visit, charger):
    page = visit.open()
    before = int(value(page, "Chargers").inner_text())
    came = charger("overview-1")
    expect(value(page, "Chargers")).to_have_text(str(before + 1))
    charging = int(value(page, "charging").inner_text())
    transaction = came.start("TAG", 0)
    came.meter(transaction, 11000, 100)
    expect(value(page, "charging")).to_have_text(str(charging + 1))
    expect(value(page, "Power now")).to_have_text(re.compile("kW"))
    faulted = int(value(page, "faulted").inner_text())
    came.stop(transaction, 200)
    came.status("Faulted", "GroundFailure")
    expect(value(page, "faulted")).to_have_text(str(faulted + 1))


def test_every_number_leads_to_the_list_behind_it(visit, charger):
    charger("overview-2").status("Faulted", "GroundFailure")
    page = visit.open()
    for label, heading, address in (
        ("faulted", "Chargers", "#/chargers?state=faulted"),
        ("Chargers", "Chargers", "#/chargers"),
        ("away", "Chargers", "#/chargers?state=away&sort=-since"),
        ("Power now", "Transactions", "#/transactions?state=running"),
        ("Messages / s", "Live", "#/live?what=frames"),
        ("Events / s", "Live", "#/live?what=events"),
    ):
        tile(page, label).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert page.url.endswith(address)
        page.go_back()
    tile(page, "faulted").click()
    expect(page.get_by_role("link", name="overview-2")).to_be_visible()


def test_the_energy_of_today_leads_to_the_transactions_of_today(visit, charger):
    at = charger("overview-4")
    at.stop(at.start("TAG-TODAY"), 5000)
    page = visit.open()
    tile(page, "Energy today").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transactions")
    midnight = page.evaluate("new Date().toLocaleDateString('sv') + 'T00:00'")
    expect(page.get_by_label("From")).to_have_value(midnight)
    expect(page.get_by_role("table", name="Transactions")).to_contain_text("TAG-TODAY")


def test_a_gateway_tells_its_load_and_leads_to_its_chargers(visit, charger):
    charger("overview-3")
    page = visit.open()
    row = page.get_by_role("table", name="Gateways and workers").get_by_role("row").filter(has_text="gw-live")
    expect(row).to_contain_text("connected")
    row.get_by_role("link", name="gw-live").click()
    expect(page.get_by_role("combobox", name="Gateway")).to_have_value("gw-live")
    expect(page.get_by_role("link", name="overview-3")).to_be_visible()
