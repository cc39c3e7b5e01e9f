"""The page of one charger: its connectors, its transaction, its frames, and commands with their results in place."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect


def test_its_connectors_and_its_running_transaction_with_a_power_curve(visit, charger):
    at = charger("curve")
    transaction = at.start("TAG-CURVE", 1000)
    for i in range(3):
        at.meter(transaction, 11000 + i * 100, 1000 + i * 500, 40 + i)
    page = visit.charger("curve")
    expect(page.get_by_role("table", name="Connectors")).to_contain_text("Charging")
    running = page.locator("section.running")
    expect(running).to_contain_text("TAG-CURVE")
    expect(running).to_contain_text("11.2 kW")
    expect(running).to_contain_text("1.00 kWh")
    expect(running).to_contain_text("42 %")
    at.stop(transaction, 3000)
    expect(running).to_have_count(0)
    page.get_by_role("link", name="Transactions", exact=True).last.click()
    expect(page.get_by_role("table", name="Transactions")).to_contain_text("TAG-CURVE")


def test_frames_come_live_and_a_call_has_its_answer_with_its_latency(visit, charger):
    at = charger("frames")
    page = visit.charger("frames")
    frames = page.locator("li.frame")
    expect(frames.filter(has_text="BootNotification")).to_have_count(2)  # from before the page was opened, with its answer
    expect(page.get_by_text(re.compile("^live"))).to_be_visible()
    at.call("Heartbeat", {})
    heartbeats = frames.filter(has_text="Heartbeat")
    expect(heartbeats).to_have_count(2)
    expect(heartbeats.first).to_contain_text("CALLRESULT")
    expect(heartbeats.first.locator(".latency")).to_have_text(re.compile(r"^[\d.]+ ms$"))
    heartbeats.last.get_by_role("button").first.click()
    pair = page.locator(".pair .one")
    expect(pair).to_have_count(2)
    expect(pair.last).to_contain_text("currentTime")
    expect(pair.last).to_contain_text("after the CALL")


def test_frames_are_paused_filtered_and_exported(visit, charger):
    at = charger("exported")
    page = visit.charger("exported")
    frames = page.locator("li.frame")
    expect(page.get_by_text(re.compile("^live"))).to_be_visible()
    expect(frames).to_have_count(4)
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    at.call("Heartbeat", {})
    expect(page.get_by_role("button", name="Go on (2 new)")).to_be_visible()
    expect(frames).to_have_count(4)
    page.get_by_role("button", name="Go on").click()
    expect(frames).to_have_count(6)
    page.get_by_label("Action").select_option("Heartbeat")
    expect(frames).to_have_count(2)
    assert "action=Heartbeat" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Export JSON lines").click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [(line["charger"], line["direction"], line["frame"][0]) for line in lines] == [("exported", "in", 2), ("exported", "out", 3)]
    assert lines[0]["frame"][2:] == ["Heartbeat", {}]
    page.get_by_label("Action").select_option("")
    page.get_by_label("Contains").fill("chargePointModel")
    expect(frames).to_have_count(1)


def test_a_command_is_filled_in_from_its_schema_and_its_result_is_in_place(visit, charger):
    at = charger("commanded")
    at.answers["ChangeConfiguration"] = lambda payload: {"status": "RebootRequired"}
    page = visit.charger("commanded", "?tab=command")
    page.locator("select[name=command]").select_option("ChangeConfiguration")
    page.get_by_role("button", name="Send", exact=True).click()
    assert at.asked == []  # the browser asks for what must be there
    page.get_by_label(re.compile("^key")).fill("HeartbeatInterval")
    page.get_by_label(re.compile("^value")).fill("300")
    page.get_by_role("button", name="Send", exact=True).click()
    outcome = page.locator(".outcome")
    expect(outcome).to_contain_text("result · RebootRequired")
    assert at.asked == [("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"})]
    page.get_by_role("link", name="Commands", exact=True).last.click()
    expect(page.get_by_role("table", name="Commands")).to_contain_text("RebootRequired")


def test_what_is_filled_in_as_soon_as_a_form_is_there_stays(visit, charger):
    charger("at-once")
    page = visit.charger("at-once", "?tab=command")
    page.evaluate(
        """() => new MutationObserver((_, watch) => {
            const field = document.querySelector("form.command select[id$='-type']");
            if (!field) return;
            watch.disconnect();
            field.value = "Soft";
            field.dispatchEvent(new Event("change", { bubbles: true }));
        }).observe(document.body, { childList: true, subtree: true })"""
    )
    page.locator("select[name=command]").select_option("Reset")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    expect(page.get_by_label(re.compile("^type"))).to_have_value("Soft")


def test_an_outcome_names_its_command_also_when_another_one_is_chosen(visit, charger):
    at = charger("named")
    page = visit.charger("named", "?tab=command&command=ClearCache")
    page.get_by_role("button", name="Send", exact=True).click()
    outcome = page.locator(".outcome")
    expect(outcome).to_contain_text("ClearCache: result · Accepted")
    page.locator("select[name=command]").select_option("Reset")
    expect(page.get_by_label(re.compile("^type"))).to_be_visible()
    expect(outcome).to_contain_text("ClearCache: result · Accepted")
    at.answers["Reset"] = lambda payload: {"status": "Rejected"}
    page.get_by_label(re.compile("^type")).select_option("Soft")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(outcome).to_contain_text("Reset: result · Rejected")
    page.get_by_label("Written for").select_option("any")
    page.locator("select[name=command]").select_option("remote_start_transaction")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(outcome).to_contain_text("remote_start_transaction: invalid")


def test_nested_objects_lists_and_enumerations_are_parts_of_the_form(visit, charger):
    at = charger("nested")
    page = visit.charger("nested", "?tab=command&command=SendLocalList")
    page.get_by_label(re.compile("^listVersion")).fill("7")
    page.get_by_label(re.compile("^updateType")).select_option("Full")
    page.get_by_role("button", name="Add to localAuthorizationList").click()
    page.get_by_label(re.compile("^idTag")).fill("TAG-1")
    page.get_by_role("button", name="Add idTagInfo").click()
    page.get_by_label(re.compile("^status")).select_option("Blocked")
    page.get_by_role("button", name="Edit as JSON").click()
    expected = {
        "listVersion": 7,
        "updateType": "Full",
        "localAuthorizationList": [{"idTag": "TAG-1", "idTagInfo": {"status": "Blocked"}}],
    }
    assert json.loads(page.get_by_label("Payload (JSON)").input_value()) == expected
    page.get_by_role("button", name="Back to the form").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".outcome")).to_contain_text("result · Accepted")
    assert at.asked == [("SendLocalList", expected)]


def test_a_command_that_fails_says_why_in_place(visit, charger):
    charger("failing")
    page = visit.charger("failing", "?tab=command&form=any&command=remote_start_transaction")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".outcome")).to_contain_text("invalid")
    expect(page.locator(".outcome")).to_contain_text("tag")


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_every_command_of_its_version_has_a_form(visit, house, ocpp):
    """Of those of 1.6 there are fewer than of these."""
    _, actions = house.gateway.get(f"/api/actions?ocpp={ocpp}")
    from plain_charger import PlainCharger

    at = PlainCharger(house.gateway.port, f"forms-{ocpp}", ocpp=ocpp)
    try:
        page = visit.charger(f"forms-{ocpp}", "?tab=command")
        choice = page.locator("select[name=command]")
        for action in actions["raw"][ocpp]:
            choice.select_option(action)
            expect(page.locator("form.command")).to_contain_text(re.compile("Edit as JSON"))
            expect(page.locator("form.command .members, form.command > p.dim")).not_to_have_count(0)
    finally:
        at.close()


@pytest.mark.parametrize("form", ["9.9", "constructor", "__proto__"])
def test_a_version_in_the_address_that_is_none_has_no_commands(visit, charger, form):
    charger("no-version")
    page = visit.charger("no-version", f"?tab=command&form={form}")
    expect(page.get_by_label("Written for")).to_have_value(form)
    expect(page.locator("select[name=command] option")).to_have_text(["choose…"])
    page.get_by_label("Written for").select_option("any")
    page.locator("select[name=command]").select_option("clear_cache")


def test_an_operator_decides_about_it(visit, charger, house):
    charger("decided")
    page = visit.charger("decided", "?tab=security")
    page.get_by_label("BootNotification").select_option("Rejected")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("Decided.")).to_be_visible()
    expect(page.locator("dl.facts").filter(has_text="Boot status")).to_contain_text("Rejected")
    assert house.gateway.get("/api/chargers/decided")[1]["boot_status"] == "Rejected"


def test_what_it_breaks_of_its_schemas_is_listed(visit, charger):
    at = charger("breaking", model="Breaker")
    at.call("StatusNotification", {"connectorId": "1", "status": "Available", "errorCode": "NoError"})
    page = visit.charger("breaking", "?tab=schemas")
    expect(page.get_by_role("table", name="Schema violations")).to_contain_text("connectorId")


def test_of_one_that_is_away_its_connectors_are_shown_as_they_were_last(visit, charger):
    leaving = charger("left-faulted")
    leaving.status("Faulted", "GroundFailure")
    page = visit.charger("left-faulted")
    table = page.get_by_role("table", name="Connectors")
    expect(table).to_contain_text("GroundFailure")
    leaving.close()
    expect(page.get_by_text("Away since")).to_be_visible()
    expect(table).to_contain_text("GroundFailure")


def test_a_charger_that_nobody_knows_is_said_to_be_unknown(visit):
    page = visit.charger("nobody")
    expect(page.get_by_role("alert").filter(has_text="Nothing is known of this charger")).to_be_visible()
    expect(page.get_by_role("link", name="troubles of nobody")).to_have_attribute("href", "#/troubles?charger=nobody")
    visit.said.clear()  # the browser's own lines about 404
