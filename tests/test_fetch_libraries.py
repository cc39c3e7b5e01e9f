"""The libraries of the pages come from a registry, and only as they are pinned."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator

import pytest

import fetch_libraries
from fetch_libraries import CannotFetch, Library, fetch

MODULE = b'import{h}from"preact";export{h};\n//# sourceMappingURL=hooks.mjs.map\n'


def archive(data: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as members:
        for name in ("package/dist/lib.mjs", "package/LICENSE"):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            members.addfile(member, io.BytesIO(data))
    return written.getvalue()


class Registry(http.server.ThreadingHTTPServer):
    """An npm registry that has one archive."""

    def __init__(self) -> None:
        self.archive, self.asked = archive(MODULE), []

        class Handler(http.server.BaseHTTPRequestHandler):
            server: Registry

            def do_GET(self) -> None:
                self.server.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(self.server.archive)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def registry(monkeypatch) -> Iterator[Registry]:
    with Registry() as server:
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(server.archive).digest()).decode()
        library = Library("lib", "1.2.3", integrity, {"dist/lib.mjs": "lib.js", "LICENSE": "lib.LICENSE"})
        monkeypatch.setattr(fetch_libraries, "LIBRARIES", (library,))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_library_is_fetched_once_and_is_a_module_that_a_browser_can_resolve(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry.url + "/")
    assert fetch(tmp_path)
    assert (tmp_path / "lib.js").read_bytes() == b'import{h}from"./preact.js";export{h};\n'
    assert (tmp_path / "lib.LICENSE").read_bytes() == MODULE
    assert not fetch(tmp_path)
    assert registry.asked == ["/lib/-/lib-1.2.3.tgz"]
    (tmp_path / "lib.js").unlink()
    assert fetch(tmp_path)


def test_what_is_not_as_pinned_is_not_taken(registry, tmp_path):
    registry.archive = archive(MODULE + b"stolen()")
    with pytest.raises(CannotFetch, match=r"lib-1\.2\.3\.tgz is not what is pinned"):
        fetch(tmp_path / "vendor", registry.url)
    assert not (tmp_path / "vendor").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "file:///etc", "nonsense"])
def test_a_registry_that_cannot_be_asked_is_named_with_what_to_do(tmp_path, url):
    with pytest.raises(CannotFetch, match=r"preact-.*cannot be fetched.*NPM_CONFIG_REGISTRY"):
        fetch(tmp_path, url)
