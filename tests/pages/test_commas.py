"""Identities and models with commas in them, which separate values elsewhere."""

from __future__ import annotations

from playwright.sync_api import expect


def test_a_model_with_commas_filters(visit, charger):
    charger("comma-1", model="M, with, commas")
    charger("comma-2", model="with")
    page = visit.open("#/chargers?search=comma-")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Model").select_option("M, with, commas")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody .id")).to_have_text("comma-1")
    page.get_by_role("link", name="Send a command to it").click()
    expect(page.get_by_text("1 charger")).to_be_visible()


def test_the_live_frames_of_a_charger_with_a_comma_are_its_own(visit, charger):
    whole, part = charger("part,whole"), charger("part")
    page = visit.open("#/chargers/part%2Cwhole")
    expect(page.get_by_role("heading", level=1)).to_have_text("part,whole")
    frames = page.locator("li.frame")
    expect(frames.filter(has_text="BootNotification")).to_have_count(2)
    expect(page.get_by_role("status").filter(has_text="frames")).to_contain_text("live")
    part.call("DataTransfer", {"vendorId": "V"})
    whole.call("Heartbeat", {})
    expect(frames.filter(has_text="Heartbeat")).to_have_count(2)  # with its answer
    expect(frames.filter(has_text="DataTransfer")).to_have_count(0)  # which would have been before


def test_the_live_page_follows_a_charger_with_a_comma_alone(visit, charger):
    whole, part = charger("page,whole"), charger("page")
    page = visit.open("#/live?charger=page%2Cwhole")
    expect(page.get_by_role("searchbox", name="Charger", exact=True)).to_have_value("page,whole")
    expect(page.get_by_role("status").filter(has_text="frames")).to_contain_text("live")
    part.call("DataTransfer", {"vendorId": "V"})
    whole.call("Heartbeat", {})
    frames = page.locator("li.frame")
    expect(frames.filter(has_text="Heartbeat")).to_have_count(2)  # with its answer
    expect(frames.filter(has_text="DataTransfer")).to_have_count(0)  # which would have been before
    page.get_by_role("button", name="events", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="events")).to_contain_text("live")
    status = {"connectorId": 1, "errorCode": "NoError"}
    part.call("StatusNotification", {**status, "status": "Faulted"})
    whole.call("StatusNotification", {**status, "status": "Preparing"})
    expect(frames.filter(has_text="Preparing")).to_have_count(1)
    expect(frames.filter(has_text="Faulted")).to_have_count(0)
