"""The pages in a real browser, in front of a real gateway with chargers that tests lead.

The gateway is one for all of these tests in a process, and has a Valkey of its own: each test has chargers of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import browser
from fetch_libraries import VENDOR
from plain_charger import PlainCharger
from visited_pages import MS, House, Visit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser, or the libraries, they say so."""
    missing = browser.missing() or (
        "" if (VENDOR / "preact.js").exists() else "the pages' libraries are missing: python fetch_libraries.py"
    )
    if missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="module")  # as long as it is there, so is an event loop of playwright's, in which no other test's may run
def chromium() -> Iterator[browser.Browser]:
    from playwright.sync_api import expect

    expect.set_options(timeout=MS)
    started = browser.Browser()
    yield started
    started.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    built = House(tmp_path_factory.mktemp("house"))
    yield built
    built.close()


@pytest.fixture
def charger(house: House) -> Iterator[Callable[..., PlainCharger]]:
    """Makes chargers that have booted; they leave with the test."""
    made: list[PlainCharger] = []

    def make(id: str, **more: Any) -> PlainCharger:
        made.append(PlainCharger(house.gateway.port, id, **more))
        made[-1].boot()
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def visit(house: House, chromium: browser.Browser) -> Iterator[Visit]:
    context = chromium.context()
    visiting = Visit(context, house.url())
    yield visiting
    pwned = visiting.page.evaluate("window.pwned") if visiting.page.url != "about:blank" else None
    context.close()
    assert not pwned
    assert not visiting.said, visiting.said
