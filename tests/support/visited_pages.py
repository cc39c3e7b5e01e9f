"""A gateway whose pages are visited, and a page of a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from fleets import PATIENCE, Valkey
from gateway_process import Process

MS = PATIENCE * 1000


class House:
    """A gateway, and what visits it."""

    def __init__(self, directory: Path, *options: str) -> None:
        (data := directory / "valkey").mkdir()
        self.valkey = Valkey(data)
        self.gateway = Process(directory, self.valkey.url, *options)

    def url(self, hash: str = "") -> str:
        return f"http://127.0.0.1:{self.gateway.http}/{hash}"

    def close(self) -> None:
        self.gateway.close()
        self.valkey.kill()


class Visit:
    """A page of the browser; what goes wrong on it fails the test."""

    def __init__(self, context: Any, base: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(MS)
        self.base = base
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, hash: str = "#/") -> Any:
        self.page.goto(self.base + hash)
        return self.page

    def charger(self, id: str, query: str = "") -> Any:
        return self.open(f"#/chargers/{quote(id, safe='')}{query}")
