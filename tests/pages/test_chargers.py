"""The table of chargers: searched, filtered, sorted and paged, with the view in the address."""

from __future__ import annotations

import re

from playwright.sync_api import expect

HOSTILE = '<img src=x onerror="window.pwned=1">'


def ids(page) -> list[str]:
    return page.locator("tbody .id").all_inner_texts()


def test_the_view_is_in_the_address(visit, charger):
    for name in ("viewed-b", "viewed-a", "viewed-c"):
        charger(name)
    charger("viewed-faulted").status("Faulted", "GroundFailure")
    page = visit.open("#/chargers")
    page.get_by_label("Search", exact=True).fill("viewed-")
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_role("button", name="Charger", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-id"))
    expect(page.locator("tbody tr").first).to_contain_text("viewed-faulted")
    assert ids(page) == ["viewed-faulted", "viewed-c", "viewed-b", "viewed-a"]
    expect(page.get_by_role("columnheader", name="Charger")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name=re.compile("^faulted")).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert ids(page) == ["viewed-faulted"]
    expect(page.get_by_label("Search", exact=True)).to_have_value("viewed-")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_label("Search", exact=True)).to_have_value("")
    assert "state" not in page.url


def test_models_and_firmwares_are_offered_and_filter(visit, charger):
    charger("model-1", vendor="Maker", model="Only This One")
    charger("model-2")
    page = visit.open("#/chargers?search=model-")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Model").select_option("Only This One")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert ids(page) == ["model-1"]


def test_a_charger_that_leaves_is_away_in_the_table_of_whoever_looks_at_it(visit, charger):
    leaving = charger("leaving")
    page = visit.open("#/chargers?search=leaving")
    row = page.get_by_role("row").filter(has_text="leaving")
    expect(row).to_contain_text("online")
    leaving.close()
    expect(row).to_contain_text("away")
    row.get_by_role("link", name="leaving").click()
    expect(page.get_by_text("Away since")).to_be_visible()


def test_what_a_hostile_charger_says_of_itself_is_text(visit, charger):
    charger(HOSTILE, vendor="<script>1</script>", model='"><b>bold</b>')
    page = visit.open("#/chargers?search=onerror")
    link = page.get_by_role("link", name=HOSTILE)
    expect(link).to_be_visible()
    expect(page.locator("tbody")).to_contain_text("<script>1</script>")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.locator("main img, main b:text('bold')").count() == 0


def test_a_search_that_finds_nobody_does_not_say_that_nobody_has_come(visit, charger):
    charger("has-come")
    page = visit.open("#/chargers?search=nobody-here")
    expect(page.get_by_text("No charger fits these filters.")).to_be_visible()
    expect(page.get_by_text("No charger has come yet")).to_have_count(0)
    expect(page.get_by_role("button", name="any state 0")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("link", name="has-come")).to_be_visible()


def test_an_address_beyond_the_end_of_the_list_leads_back_to_it(visit, charger):
    charger("beyond-1")
    page = visit.open("#/chargers?search=beyond-&offset=900")
    expect(page.get_by_text("The list is not that long.")).to_be_visible()
    expect(page.get_by_text("No charger fits these filters.")).to_have_count(0)
    pages = page.get_by_role("navigation", name="Pages of the list")
    expect(pages).to_contain_text("none of 1")
    expect(pages.get_by_role("button", name="Next")).to_be_disabled()
    pages.get_by_role("button", name="Previous").click()
    expect(page.get_by_role("link", name="beyond-1")).to_be_visible()
    assert "offset" not in page.url


def test_a_charger_is_found_from_every_page(visit, charger):
    charger("to-be-found")
    page = visit.open("#/transactions")
    expect(page.get_by_role("heading", level=1)).to_have_text("Transactions")
    page.keyboard.press("/")
    page.keyboard.type("be-found")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="to-be-found")).to_be_visible()
    assert "search=be-found" in page.url


def test_what_is_typed_while_the_list_follows_is_not_taken_back(visit, charger):
    charger("typed-on")
    page = visit.open("#/chargers")
    page.evaluate(
        """() => {
            const replace = history.replaceState;
            history.replaceState = (...address) => {
                history.replaceState = replace;
                history.replaceState(...address);
                setTimeout(() => { // the page is drawn with the new address by then
                    const field = document.querySelector("main input[type=search]");
                    field.value = "typed-on";
                    field.dispatchEvent(new Event("input", { bubbles: true }));
                });
            };
        }"""
    )
    page.locator("main input[type=search]").first.fill("typed")
    expect(page).to_have_url(re.compile("search=typed-on"))
    expect(page.locator("main input[type=search]").first).to_have_value("typed-on")
