"""The operators' pages, as files: HTML, scripts and styles, the same for everybody.

Knows nothing of what they show; they ask the API for that, with the token or cookie of whoever looks at them. A page runs only what comes from here
(Content-Security-Policy): no script or style of its own text, none of another origin.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import Any, NamedTuple

from twisted.web.http import CACHED
from twisted.web.resource import IResource, Resource

from .guard import Admission, Guard
from .request import OperatorsRequest
from .roles import PAGES, SESSION
from .session_resource import SessionResource

TYPES = {
    "html": b"text/html; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "LICENSE": b"text/plain; charset=utf-8",
}
"""Suffix -> content type. Others are not served."""

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

LIBRARY = "vendor/preact.js"
"""Without it there are no pages."""

WITHOUT = (
    b"This gateway was installed without the JavaScript libraries of its pages; its API works.\n"
    b"In a checkout, `make install` or `python fetch_libraries.py` fetches them; then start the gateway again.\n"
)

FOREVER = b"public, max-age=31536000, immutable"


class File(NamedTuple):
    """One, as it is and compressed."""

    kind: bytes
    data: bytes
    zipped: bytes
    tag: bytes


class Pages(Resource):
    """`/`, and `/pages/VERSION/NAME`, where VERSION changes with the files, so that a browser asks for each only once."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        found = dict(_read(files("ocpp_tw") / "pages"))
        everything = hashlib.sha256(b"".join(name.encode() + data for name, data in sorted(found.items())))
        self._version = everything.hexdigest()[:16]
        self._files = {name: _file(name, data.replace(b"{VERSION}", self._version.encode())) for name, data in found.items()}

    def render_GET(self, request: OperatorsRequest) -> Any:
        for name, value in HEADERS:
            request.setHeader(name, value)
        version, wanted = _split(request.path)
        file = self._files.get(wanted)
        if LIBRARY not in self._files:
            return _text(request, 503, WITHOUT)
        if file is None:
            return _text(request, 404, b"There is no such page.\n")
        request.setHeader(b"cache-control", FOREVER if version == self._version else b"no-cache")
        request.setHeader(b"content-type", file.kind)
        request.setHeader(b"vary", b"accept-encoding")
        zipped = b"gzip" in (request.getHeader(b"accept-encoding") or b"")
        if request.setETag(b'"' + file.tag + (b'-z"' if zipped else b'"')) is CACHED:
            return b""
        if zipped:
            request.setHeader(b"content-encoding", b"gzip")
        return file.zipped if zipped else file.data


class Root(Resource):
    """What operators' port serves: the pages and their sessions here, all else by the API."""

    isLeaf = True

    def __init__(self, api: IResource, guard: Guard) -> None:
        super().__init__()
        self._api, self._pages, self._session = api, Pages(), SessionResource(guard)

    def render(self, request: OperatorsRequest) -> Any:
        path = request.path
        if path == b"/" or path.startswith(PAGES):
            return self._one_of(request, self._pages, b"GET", b"HEAD")
        if path == SESSION:
            return self._one_of(request, self._session, b"GET", b"HEAD", b"POST", b"DELETE")
        return self._api.render(request)

    def _one_of(self, request: OperatorsRequest, resource: Resource, *methods: bytes) -> Any:
        if request.method in methods:
            return resource.render(request)
        request.setResponseCode(405)
        request.setHeader(b"allow", b", ".join(methods))
        return b'{"detail":"Method Not Allowed"}\n'


def with_pages(api: IResource, guard: Admission) -> IResource:
    """The API and the pages; of a worker, behind the front that has them, the API alone."""
    return Root(api, guard) if isinstance(guard, Guard) else api


def _split(path: bytes) -> tuple[str, str]:
    """The version and the name that a path asks for; `/` is the one page that there is, in no version."""
    if not path.startswith(PAGES):
        return "", "index.html"
    version, _, name = path[len(PAGES) :].decode(errors="replace").partition("/")
    return version, name


def _text(request: OperatorsRequest, status: int, text: bytes) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.setHeader(b"cache-control", b"no-store")
    return text


def _read(directory: Any, prefix: str = "") -> list[tuple[str, bytes]]:
    """The files that are served, below a directory, by their names."""
    found: list[tuple[str, bytes]] = []
    for each in directory.iterdir() if directory.is_dir() else ():
        if each.is_dir():
            found += _read(each, f"{prefix}{each.name}/")
        elif each.name.rpartition(".")[2] in TYPES:
            found.append((prefix + each.name, each.read_bytes()))
    return found


def _file(name: str, data: bytes) -> File:
    return File(TYPES[name.rpartition(".")[2]], data, gzip.compress(data, 9, mtime=0), hashlib.sha256(data).hexdigest()[:32].encode())
