"""What all pages have in common: the login, the keyboard, a phone, and a gateway that does not answer."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import expect

from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.tokens import new_token
from visited_pages import House, Visit


def test_pages_are_reached_by_keyboard_alone(visit):
    page = visit.open()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    for key, heading in (("c", "Chargers"), ("t", "Transactions"), ("m", "Commands"), ("l", "Live"), ("r", "Troubles"), ("o", "Overview")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(
    "hash",
    [
        "#/",
        "#/chargers",
        "#/chargers/phone",
        "#/chargers/phone?tab=command&command=Reset",
        "#/transactions",
        "#/commands?send=many",
        "#/live",
        "#/troubles",
    ],
)
def test_nothing_is_wider_than_a_phone(house, chromium, charger, hash):
    charger("phone")
    context = chromium.context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    visit = Visit(context, house.url())
    page = visit.open(hash)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
    assert visit.said == []


def test_a_page_that_is_loaded_again_is_always_there(visit):
    """The answer to who is logged in may come before or after the first drawing."""
    page = visit.open("#/transactions")
    for _ in range(25):
        expect(page.get_by_role("heading", level=1)).to_have_text("Transactions")
        page.reload()


def test_an_error_of_one_page_is_told_and_the_others_go_on(visit, charger):
    charger("around-an-error")
    page = visit.open("#/chargers?search=around-an-error")
    expect(page.get_by_role("link", name="around-an-error", exact=True)).to_be_visible()
    page.evaluate(
        """() => {
          window.real = Date.prototype.toISOString;
          Date.prototype.toISOString = () => { throw new Error("broken on purpose"); };
        }"""
    )
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.get_by_label("From").fill("2026-01-01T00:00")
    told = page.get_by_role("alert").filter(has_text="broken on purpose")
    expect(told).to_be_visible()
    again = page.get_by_role("button", name="Show the page again")
    again.click()
    expect(told).to_be_visible()
    page.get_by_role("link", name="Chargers", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Chargers")
    expect(page.get_by_role("link", name="around-an-error", exact=True)).to_be_visible()
    page.go_back()
    expect(told).to_be_visible()
    page.evaluate("() => { Date.prototype.toISOString = window.real; }")
    again.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transactions")
    assert [line for line in visit.said if "broken on purpose" not in line] == []
    visit.said.clear()


@pytest.mark.parametrize("hash", ["#/nowhere", "#/constructor", "#/__proto__", "#/toString/1"])
def test_an_address_of_no_page_leads_back(visit, hash):
    page = visit.open(hash)
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_dark_is_what_the_system_says_or_what_was_chosen(house, chromium):
    context = chromium.context(color_scheme="dark")
    page = Visit(context, house.url()).open()
    background = "getComputedStyle(document.documentElement).backgroundColor"
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    dark = page.evaluate(background)
    page.get_by_role("button", name="auto").click()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="light")).to_be_visible()
    assert page.evaluate(background) == light
    context.close()


def test_nothing_is_asked_of_anybody_else(house, chromium):
    context = chromium.context()
    visit = Visit(context, house.url())
    asked: set[str] = set()
    visit.page.on("request", lambda request: asked.add(request.url))
    page = visit.open()
    expect(page.locator("a.tile").first).to_be_visible()
    assert {url for url in asked if not url.startswith(house.url())} == set()
    context.close()


def test_a_gateway_that_does_not_answer_is_said_so_and_found_again(tmp_path, chromium):
    own = House(tmp_path)
    context = chromium.context()
    try:
        visit = Visit(context, own.url())
        page = visit.open()
        expect(page.locator("a.tile").first).to_be_visible()
        own.gateway.stop(signal.SIGTERM)
        expect(page.get_by_text("The gateway does not answer")).to_be_visible()
        own.gateway.start()
        expect(page.get_by_text("The gateway does not answer")).to_have_count(0)
        expect(page.locator("a.tile").first).to_be_visible()
    finally:
        context.close()
        own.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_token_is_asked_for_once_and_decides_what_may_be_done(tmp_path, chromium, workers):
    made = {role.name: new_token(f"{role.name}-er", role) for role in Role}
    file = tmp_path / "tokens"
    file.write_text("\n".join(line for _, line in made.values()))
    file.chmod(0o600)
    own = House(tmp_path, "--http-tokens", str(file), *(["--workers", "2"] if workers > 1 else []))
    context = chromium.context()
    try:
        page = Visit(context, own.url()).open("#/chargers?search=x")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("This token is not good for anything here.")).to_be_visible()
        page.get_by_label("Token").fill(made["read"][0])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Chargers")  # the view that was asked for
        expect(page.get_by_text("read-er")).to_be_visible()
        [cookie] = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Chargers")
        page.goto(own.url("#/commands?send=many&command=clear_cache"))
        expect(page.get_by_role("button", name="Send to 0 chargers")).to_be_disabled()
        refused = page.evaluate("fetch('/api/commands', {method: 'POST', body: '{}'}).then(answer => answer.status)")
        assert refused == 403
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        page.reload()
        expect(page.get_by_label("Token")).to_be_visible()
        assert context.cookies() == []
    finally:
        context.close()
        own.close()
