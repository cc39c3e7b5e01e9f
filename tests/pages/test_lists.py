"""Transactions, commands, troubles, and what is live in the whole fleet."""

from __future__ import annotations

import csv
import re
import threading

import pytest
from playwright.sync_api import Route, expect


def test_transactions_are_filtered_and_exported(visit, charger):
    at = charger("listed")
    first = at.start("TAG-FIRST")
    at.stop(first, 5000)
    at.start("TAG-SECOND")
    page = visit.open("#/transactions")
    table = page.get_by_role("table", name="Transactions")
    expect(table).to_contain_text("TAG-FIRST")
    page.get_by_label("Charger", exact=True).fill("listed")
    page.get_by_label("State").select_option("running")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("TAG-SECOND")
    page.get_by_label("State").select_option("ended")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("4.00 kWh")
    expect(page.get_by_role("link", name="Export CSV")).to_have_attribute("href", "/api/transactions.csv?state=ended&charger=listed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    [row] = csv.DictReader(download.value.path().read_text().splitlines())
    assert (row["charger"], row["tag"], row["energy_wh"]) == ("listed", "TAG-FIRST", "4000")


def test_a_time_in_the_address_that_is_none_is_said_so_and_not_filtered_by(visit, charger):
    at = charger("any-time")
    at.stop(at.start("TAG-ANY-TIME"), 5000)
    page = visit.open("#/transactions?charger=any-time&from=garbage")
    expect(page.get_by_role("alert").filter(has_text="garbage")).to_contain_text("no time")
    expect(page.get_by_role("table", name="Transactions")).to_contain_text("TAG-ANY-TIME")
    expect(page.get_by_role("link", name="Export CSV")).to_have_attribute("href", "/api/transactions.csv?charger=any-time")
    page.get_by_label("From").fill("2026-01-01T00:00")
    expect(page.get_by_role("alert").filter(has_text="garbage")).to_have_count(0)
    page = visit.open("#/transactions?charger=any-time&from=2026-01-01T09:30:15.5")
    expect(page.get_by_label("From")).to_have_value("2026-01-01T09:30")
    assert visit.said == []


def test_failed_commands_come_first(visit, charger, house):
    charger("gave")
    charger("retries")
    for command, data in (("clear_cache", {}), ("unlock_connector", {})):
        house.gateway.post("/api/commands", {"cp_id": "gave", "command": command, "data": data})
    house.gateway.post("/api/commands", {"cp_id": "never-here", "command": "clear_cache", "data": {}})
    for _ in range(2):  # as one does who has had no answer
        house.gateway.post("/api/commands", {"cp_id": "retries", "command": "clear_cache", "data": {}, "id": "retried"})
    page = visit.open("#/commands?outcome=duplicate")
    expect(page.get_by_role("table", name="Commands")).to_contain_text("retried")
    page = visit.open("#/commands")
    failed = page.locator("section").filter(has_text="Failed lately")
    expect(failed).to_contain_text("offline")
    expect(failed).not_to_contain_text("retried")
    expect(failed.get_by_role("link", name="never-here")).to_be_visible()
    page.get_by_label("Outcome").select_option("result")
    page.get_by_label("Charger", exact=True).fill("gave")
    table = page.get_by_role("table", name="Commands")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("ClearCache")
    expect(table).to_contain_text("operator")


def test_an_answer_that_was_left_out_is_said_to_be(visit, charger, house):
    long = {"configurationKey": [{"key": f"Key{i:03}", "readonly": False, "value": "x" * 50} for i in range(60)]}
    for id, answer in (("told-all", {}), ("told-much", long)):
        charger(id).answers["GetConfiguration"] = lambda payload, answer=answer: answer
        house.gateway.post("/api/commands", {"cp_id": id, "data": [2, id, "GetConfiguration", {}]})
    page = visit.open("#/commands?action=GetConfiguration")
    rows = page.get_by_role("table", name="Commands").locator("tbody tr")
    expect(rows.filter(has_text="told-much").first).to_contain_text("the answer is too long to be kept: it is in the event")
    expect(rows.filter(has_text="told-all").first).not_to_contain_text("too long")


def test_a_command_goes_to_all_chargers_of_a_filter(visit, charger):
    made = [charger(f"many-{i}") for i in range(4)]
    made[3].answers["ClearCache"] = lambda payload: {"status": "Rejected"}
    page = visit.open("#/chargers?search=many-")
    page.get_by_role("link", name="Send a command to these 4").click()
    expect(page.get_by_text("4 chargers:")).to_be_visible()
    page.locator("select[name=command]").select_option("clear_cache")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Send to 4 chargers").click()
    assert [each.asked for each in made] == [[]] * 4
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send to 4 chargers").click()
    progress = page.locator(".progress")
    expect(progress).to_contain_text("clear_cache: done, 4 of 4")
    page.locator("select[name=command]").select_option("get_diagnostics")
    expect(progress).to_contain_text("clear_cache: done, 4 of 4")
    assert [each.asked for each in made] == [[("ClearCache", {})]] * 4


def test_a_raw_command_goes_to_chargers_of_its_version_only(visit, charger):
    made = charger("raw-many")
    page = visit.open("#/commands?send=many&search=raw-many&form=2.0.1")
    expect(page.get_by_text(re.compile(r"^0 chargers"))).to_be_visible()
    page.get_by_label("Written for").select_option("1.6")
    expect(page.get_by_text(re.compile(r"^1 chargers"))).to_be_visible()
    page.locator("select[name=command]").select_option("Reset")
    page.get_by_label(re.compile("^type")).select_option("Soft")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send to 1 chargers").click()
    expect(page.locator(".progress")).to_contain_text("Reset: done, 1 of 1")
    assert made.asked == [("Reset", {"type": "Soft"})]


def test_frames_and_events_of_the_fleet_are_live(visit, charger):
    at = charger("alive")
    other = charger("beside")
    page = visit.open("#/live")
    expect(page.get_by_text(re.compile("^live"))).to_be_visible()
    at.call("Heartbeat", {})
    other.status("Unavailable")
    expect(page.locator("li.frame").filter(has_text="alive")).to_have_count(2)
    expect(page.locator("li.frame").filter(has_text="beside")).to_have_count(2)
    page.get_by_label("Charger", exact=True).fill("beside")
    expect(page.get_by_text("live · 0 of 0 frames")).to_be_visible()
    page.get_by_role("button", name="events").click()
    expect(page.get_by_text("live · 0 events")).to_be_visible()
    at.status("Unavailable")
    other.status("Available")
    shown = page.locator("li.frame")
    expect(shown).to_have_count(1)
    shown.get_by_role("button").click()
    expect(page.locator(".pair")).to_contain_text('"charger": "beside"')


def test_what_is_live_of_one_charger_has_nothing_of_others_however_much_they_say(visit, charger):
    """What still comes of the stream before, while a browser that is busy turns to the one charger, is not taken for its."""
    noisy, over = charger("noisy"), threading.Event()
    charger("quiet")

    def talk() -> None:
        while not over.is_set():
            noisy.call("Heartbeat", {})
            over.wait(0.02)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        visit.page.add_init_script("const plain = setTimeout; window.setTimeout = (f, ms = 500, ...more) => plain(f, ms, ...more)")
        page = visit.open("#/live")
        expect(page.locator("li.frame").filter(has_text="noisy").first).to_be_visible()
        asked: list[Route] = []
        page.route(re.compile("/api/live.*charger=quiet"), lambda route: asked.append(route))  # a method it does not take
        with page.expect_response(re.compile("/api/live.*charger=quiet")):
            page.get_by_label("Charger", exact=True).fill("quiet")
            expect(page.get_by_text("not connected · 0 of 0 frames")).to_be_visible()  # as long as it is not followed
            asked[0].continue_()
        page.wait_for_timeout(500)  # for what had come until then to be shown
        expect(page.get_by_text(re.compile("^live"))).to_have_text("live · 0 of 0 frames")
    finally:
        over.set()
        talking.join()


def test_events_that_come_while_they_are_paused_are_gathered(visit, charger):
    at = charger("paused-events")
    page = visit.open("#/live?what=events&charger=paused-events")
    expect(page.get_by_text("live · 0 events")).to_be_visible()
    at.status("Unavailable")
    shown = page.locator("li.frame")
    expect(shown).to_have_count(1)
    page.keyboard.press("p")
    at.status("Available")
    at.status("Unavailable")
    go_on = page.get_by_role("button", name="Go on (2 new)")
    expect(go_on).to_be_visible()
    expect(shown).to_have_count(1)
    go_on.click()
    expect(shown).to_have_count(3)
    page.get_by_role("button", name="Pause").click()
    at.status("Available")
    expect(page.get_by_role("button", name="Go on (1 new)")).to_be_visible()


def test_events_that_came_too_fast_are_counted(visit, charger):
    at = charger("too-fast")
    page = visit.open("#/live?what=events&charger=too-fast")
    expect(page.get_by_text("live · 0 events")).to_be_visible()
    for _ in range(8):  # more than a stream is given in a second
        at.call("DataTransfer", {"vendorId": "V", "data": "x" * 200_000})
    expect(page.get_by_text(re.compile(r"live · \d events · \d left out, they came too fast"))).to_be_visible()


def test_after_an_action_was_chosen_the_others_can_be(visit, charger):
    at = charger("chosen-action")
    page = visit.open("#/live?charger=chosen-action")
    expect(page.get_by_text(re.compile("^live"))).to_be_visible()
    at.call("Heartbeat", {})
    at.status("Unavailable")
    choice = page.get_by_label("Action")
    expect(choice.locator("option")).to_have_text(["all", "Heartbeat", "StatusNotification"])
    choice.select_option("Heartbeat")
    expect(page.get_by_text("live · 0 of 0 frames")).to_be_visible()
    at.status("Available")
    at.call("Heartbeat", {})
    expect(page.locator("li.frame")).to_have_count(2)
    expect(choice.locator("option")).to_have_text(["all", "Heartbeat", "StatusNotification"])
    choice.select_option("StatusNotification")
    expect(page.get_by_text("live · 0 of 0 frames")).to_be_visible()
    at.status("Unavailable")
    expect(page.locator("li.frame")).to_have_count(2)
    expect(page.locator("li.frame").first).to_contain_text("StatusNotification")


def test_why_one_never_came_in_is_on_its_page(visit, house):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{house.gateway.port}/stranger", subprotocols=["ocpp0.9"]):
        pass
    page = visit.open("#/chargers?search=stranger")
    page.get_by_role("link", name="the page of stranger").click()
    expect(page.get_by_text("Not let in")).to_contain_text("subprotocol")
    expect(page.get_by_text("has not been of late")).to_be_visible()
    page.get_by_role("link", name="Its troubles").click()
    expect(page.get_by_role("table", name="Troubles")).to_contain_text("Handshake rejected")


def test_why_one_was_refused_is_a_trouble(visit, charger, house):
    charger("judged")
    house.gateway.put("/api/chargers/judged", {"boot_status": "Rejected"})
    from plain_charger import PlainCharger

    again = PlainCharger(house.gateway.port, "judged")
    again.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    again.call("Heartbeat", {})
    again.close()
    page = visit.charger("judged", "?tab=troubles")
    expect(page.get_by_role("table", name="Troubles")).to_contain_text("Message refused")
