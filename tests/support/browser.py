"""A real browser for the tests of the pages: Debian's chromium, driven by playwright.

Both may be missing: then these tests are skipped, and say how they are run.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Where it is: `CHROMIUM`, else in the path; "" if it is nowhere."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""


def missing() -> str:
    """What is missing for a browser, and what to do about that; "" if nothing is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the pages are not tested: `pip install playwright` (it is among the test dependencies)"
    if not chromium():
        return "the pages are not tested: install a browser (Debian: apt-get install chromium), or name one: CHROMIUM=/path/to/chromium"
    return ""


class Browser:
    """Started with the first page; ``close`` ends it."""

    def __init__(self) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))

    def context(self, **options: Any) -> Any:
        """What has its own cookies and views."""
        return self._browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "locale": "en-GB", **options})

    def close(self) -> None:
        self._browser.close()
        self._playwright.stop()
