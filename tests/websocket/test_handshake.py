"""The opening handshake: sloppy ones are put right and said so, dangerous ones refused, and the identity is nobody's guess."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp.negotiation import choose
from ocpp_tw.websocket.handshake import SINGLE_HEADERS, BadHandshake, identity, offers, read

GOOD = (
    b"Host: csms.example.com:10800",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Protocol: ocpp1.6",
    b"Sec-WebSocket-Version: 13",
)


def head(*headers: bytes, line: bytes = b"GET /ocpp/CP1 HTTP/1.1") -> bytes:
    """A request's head."""
    return b"\r\n".join([line, *headers, b"", b""])


def without(name: bytes) -> tuple[bytes, ...]:
    """The good headers but one."""
    return tuple(each for each in GOOD if not each.lower().startswith(name.lower() + b":"))


def refusal(head: bytes) -> str:
    """Why it is refused."""
    with pytest.raises(BadHandshake) as caught:
        read(head)
    assert caught.value.status == 400 and caught.value.reason.isprintable() and caught.value.reason.isascii()
    return caught.value.reason


# the head


def test_a_good_handshake_needs_no_repairs() -> None:
    """Names in lower case, values as they came, in their order."""
    read_head = read(head(*GOOD))
    assert read_head.target == b"/ocpp/CP1" and read_head.repairs == ()
    assert list(read_head.headers) == [each.partition(b":")[0].decode().lower() for each in GOOD]
    assert read_head.headers["host"] == "csms.example.com:10800"


def test_autobahn_sees_the_tidied_head_for_the_root_only() -> None:
    """C2: its own reading of the target cuts `/CP;001`, so it is never shown one."""
    text = read(head(*GOOD, line=b"GET //evil/CP;001?x#y HTTP/1.1")).text
    assert text.startswith(b"GET / HTTP/1.1\r\nhost: csms.example.com:10800\r\n") and text.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "host", ["csms.example.com", "csms.example.com:10800", "my_host", "10.0.0.1:80", "[::1]", "[fe80::1%eth0]:80", "h:", "", "x" * 255]
)
def test_the_host_is_a_name_or_an_address(host: str) -> None:
    assert read(head(b"Host: " + host.encode(), *without(b"Host"))).headers["host"] == host


@pytest.mark.parametrize("host", ['x"><script>', "a b", "h/ocpp", "h:x", "a:b:1", "::1", "[::1", "h@i", "h,i", "x" * 256])
def test_any_other_host_is_refused(host: str) -> None:
    """F24: it is in every event, as `domain`."""
    assert "Host" in refusal(head(b"Host: " + host.encode(), *without(b"Host")))


def test_a_missing_connection_header_is_put_in() -> None:
    """FIELD 16: Autel v1.38 leaves it out."""
    tidied = read(head(*without(b"Connection")))
    assert tidied.headers["connection"] == "Upgrade" and tidied.repairs == ("no Connection: Upgrade",)
    assert read(head(*without(b"Connection"), b"Connection: keep-alive")).headers["connection"] == "Upgrade"


def test_connection_is_not_touched_when_it_names_the_upgrade_or_none_is_wanted() -> None:
    """FIELD 16: a repair is for what is broken, and plain HTTP stays plain HTTP."""
    assert read(head(*without(b"Connection"), b"Connection: keep-alive, upgrade")).headers["connection"] == "keep-alive, upgrade"
    assert "connection" not in read(head(b"Host: x")).headers


@pytest.mark.parametrize(
    "offered",
    [(b"ocpp1.6, ocpp1.6",), (b"ocpp1.6,",), (b",ocpp1.6", b"ocpp1.6"), (b"ocpp1.6", b"ocpp1.6")],
    ids=repr,
)
def test_a_subprotocol_offered_twice_counts_once(offered: tuple[bytes, ...]) -> None:
    """FIELD 14: Autobahn would answer 400."""
    tidied = read(head(*without(b"Sec-WebSocket-Protocol"), *(b"Sec-WebSocket-Protocol: " + each for each in offered)))
    assert offers(tidied.headers) == ["ocpp1.6"] and len(tidied.repairs) == 1


def test_two_subprotocol_headers_are_one_list() -> None:
    """FIELD 14: RFC 6455 allows it, and their order stands (C7)."""
    tidied = read(head(*without(b"Sec-WebSocket-Protocol"), b"Sec-WebSocket-Protocol: ocpp0.1", b"sec-websocket-protocol: ocpp1.6"))
    assert offers(tidied.headers) == ["ocpp0.1", "ocpp1.6"] and tidied.repairs == ()


def test_an_empty_subprotocol_header_is_none() -> None:
    """C9: then it is a matter of the settings."""
    tidied = read(head(*without(b"Sec-WebSocket-Protocol"), b"Sec-WebSocket-Protocol:"))
    assert "sec-websocket-protocol" not in tidied.headers and offers(tidied.headers) == [] and tidied.repairs


def test_the_origin_is_dropped() -> None:
    """Wire note 13: libwebsockets' clients send one, of no meaning here."""
    tidied = read(head(*GOOD, b"Origin: nonsense"))
    assert "origin" not in tidied.headers and b"rigin" not in tidied.text


def test_a_raw_space_in_the_url_is_taken() -> None:
    """FIELD 16, C1: where others answer 400."""
    tidied = read(head(*GOOD, line=b"GET /ocpp/RDAM 123 HTTP/1.1"))
    assert identity(tidied.target) == "RDAM 123" and tidied.repairs == ("a space in the URL",)


@pytest.mark.parametrize("name", sorted(SINGLE_HEADERS))
def test_what_must_come_once_must_come_once(name: str) -> None:
    """A12: two readers would take two different ones."""
    twice = next((each for each in GOOD if each.lower().startswith(name.encode() + b":")), name.encode() + b": Basic YTpi")
    assert name in refusal(head(*GOOD, twice, twice.replace(b":", b":  ")))


def test_a_header_with_a_byte_that_headers_may_not_have_is_refused() -> None:
    """A12: at \\x0b, \\x0c, \\x1c to \\x1e and \\x85 Autobahn would begin a new header."""
    for byte in {*range(0x20), *range(0x7F, 0x100)} - {0x09}:
        refusal(head(*GOOD, b"X: a%cAuthorization: Basic YTpi" % byte))


def test_the_request_line_cannot_smuggle_a_header_in_either() -> None:
    """A12: what Autobahn is shown of it is the method and the version."""
    for byte in {*range(0x20), *range(0x7F, 0x100)}:
        for line in (b"GET /CP1 HTTP/1.1%cX:y", b"GET /CP1 HTTP/1.1%c", b"GET%cX:y /CP1 HTTP/1.1"):
            refusal(head(*GOOD, line=line % byte))


@pytest.mark.parametrize("line", [b"Authorization : Basic YTpi", b" folded: x", b"\tfolded", b": x", b"no colon", b"Name\x00: x"])
def test_what_is_not_of_the_form_name_value_is_refused(line: bytes) -> None:
    """A12: a blank before the colon, and folded lines."""
    refusal(head(*GOOD, line))


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b" ",
            b"GET",
            b"GET /CP1",
            b"GET HTTP/1.1",
            b"GET  HTTP/1.1",
            b"GET /CP1 HTTP/1.",
            b"GET /CP1 HTTP/11.1",
            b"GET /CP1 http/1.1",
        ),
        *(b"\x16\x03\x01\x02", b"G=T /CP1 HTTP/1.1", b" /CP1 HTTP/1.1"),
    ],
)
def test_what_is_no_http_is_refused(line: bytes) -> None:
    """A TLS hello on the plain port among it."""
    refusal(head(*GOOD, line=line))


tokens = st.text("ABCabc-", min_size=1, max_size=12)


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=40), max_size=6).map(lambda lines: head(*lines)))
@example(b"GET /\x85Evil: HTTP/1.1\r\n\r\n")
@settings(deadline=None)
def test_any_bytes_are_a_head_or_a_bad_handshake(text: bytes) -> None:
    """A12, F28: and whoever splits lines as Autobahn does finds no header in the tidied head that was not read from the request."""
    try:
        tidied = read(text)
    except BadHandshake as bad:
        assert bad.status == 400 and bad.reason.isprintable()
        return
    line, *lines = tidied.text.decode("iso-8859-1").splitlines()
    assert line.split(" ")[1] == "/" and lines[-1] == ""
    assert lines[:-1] == [f"{name}: {value}" for name, value in tidied.headers.items()]


@given(st.dictionaries(tokens, st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20), max_size=6))
@settings(deadline=None)
def test_reading_what_was_tidied_changes_nothing_more(headers: dict[str, str]) -> None:
    """A repair leaves nothing to repair."""
    lines = [f"{name}: {value}".encode() for name, value in {name.lower(): value for name, value in headers.items()}.items()]
    once = read(head(*lines, b"Upgrade: websocket", b"Sec-WebSocket-Protocol: a,,a"))
    again = read(once.text)
    assert (again.text, again.headers, again.repairs) == (once.text, once.headers, ())


# the identity


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"/CP1", "CP1"),
        (b"/ocpp/CP1", "CP1"),
        (b"/a/b/c/CP1/", "CP1"),
        (b"//CP1", "CP1"),
        (b"//evil/CP1", "CP1"),
        (b"/ocpp//CP1//", "CP1"),
        (b"http://evil/CP1", "CP1"),
        (b"http://csms.example.com/ocpp/CP1?x=/y", "CP1"),
        (b"/CP1?token=a/b", "CP1"),
        (b"/CP1#part/two", "CP1"),
        (b"/CP;001", "CP;001"),
        (b"/a;b/CP;001=x", "CP;001=x"),
        (b"/RDAM%20123", "RDAM 123"),
        (b"/RDAM%7C123", "RDAM|123"),
        (b"/RDAM%7c123", "RDAM|123"),
        (b"/100%25", "100%"),
        (b"/CP%2520", "CP%20"),
        (b"/%C3%84pfel", "Äpfel"),
        ("/Äpfel".encode(), "Äpfel"),
        (b"/CP+1", "CP+1"),
        (b"/CP%3F1%231", "CP?1#1"),
        (b"/a:b@c*d-e_f=g.h", "a:b@c*d-e_f=g.h"),
        (b"/...", "..."),
        (b"/" + b"x" * 48, "x" * 48),
    ],
)
def test_the_identity_is_the_last_segment_decoded_once(target: bytes, name: str) -> None:
    """C1, C2, C4, FIELD 17: taken from the raw target, since URL parsers cut it."""
    assert identity(target) == name


@pytest.mark.parametrize(
    "target",
    [
        *(b"", b"/", b"//", b"/?CP1", b"/#CP1", b"http://CP1", b"http://", b"?", b"/%", b"/%4", b"/%zz", b"/CP%1", b"/%%20", b"/%+1A"),
        *(
            b"/%FF",
            b"/%C3",
            b"/\xff",
            b"/%C0%AF",
            b"/%ED%A0%80",
            b"/%EF%BB%BFCP1",
            b"/%00",
            b"/CP%00",
            b"/CP%0d%0aSet-Cookie:x",
            b"/CP\x1b[31m",
        ),
        *(b"/%1b%5b31m", b"/%7F", b"/CP%C2%85", b"/CP%E2%80%8B1", b"/CP%E2%80%AE1", b"/.", b"/..", b"/%2e%2e", b"/%2E", b"/a%2Fb", b"/%2f"),
        *(b"/%20CP1", b"/CP1%20", b"/%20", b"/" + b"x" * 49, b"/" + b"%C3%84" * 49),
    ],
)
def test_a_hostile_path_has_no_identity(target: bytes) -> None:
    """C2, A15, A16: bad escapes, no UTF-8, control and invisible characters, slashes, dots, nothing, too much."""
    with pytest.raises(BadHandshake) as caught:
        identity(target)
    assert caught.value.status == 400 and caught.value.reason.isascii() and caught.value.reason.isprintable()


def test_how_long_an_identity_may_be_is_a_setting() -> None:
    """C4: in characters, as the driver sees them."""
    assert identity(b"/" + b"%C3%84" * 255, max_length=255) == "Ä" * 255
    with pytest.raises(BadHandshake, match="longer than 255"):
        identity(b"/" + b"x" * 256, max_length=255)


names = st.text(min_size=1, max_size=48).filter(
    lambda name: name.isprintable() and name == name.strip() and "/" not in name and name.lower() not in (".", "..", "ocpp")
)


@given(names)
@settings(deadline=None)
def test_whatever_a_charger_is_called_arrives_as_that(name: str) -> None:
    """C1: encoded once by the charger, decoded once here, even when it looks encoded already."""
    assert identity(b"/ocpp/" + quote(name, safe="").encode()) == name
    assert identity(b"/ocpp/" + quote(quote(name, safe=""), safe="").encode(), max_length=999) == quote(name, safe="")


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_target_has_an_identity_fit_for_a_log_or_none(target: bytes) -> None:
    """C2, A15."""
    for each in (target, b"/" + target, b"/" + quote(target, safe="/%").encode()):
        try:
            name = identity(each)
        except BadHandshake:
            continue
        assert name.isprintable() and 0 < len(name) <= 48 and "/" not in name


# the subprotocol


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("ocpp1.6", ("ocpp1.6", "ocpp1.6")),
        ("ocpp0.1, ocpp1.6", ("ocpp1.6", "ocpp1.6")),
        ("ocpp2.0.1,ocpp1.6", ("ocpp2.0.1", "ocpp2.0.1")),
        ("ocpp1.6,ocpp2.0.1", ("ocpp1.6", "ocpp1.6")),
        ("OCPP1.6", ("OCPP1.6", "ocpp1.6")),
        ("ocpp1.6j", ("ocpp1.6j", "ocpp1.6")),
        ("Ocpp1.6J", ("Ocpp1.6J", "ocpp1.6")),
        ("ocpp16", ("ocpp16", "ocpp1.6")),
        ("ocpp1.5", None),
        ("", None),
        (",,", None),
    ],
)
def test_the_first_of_the_chargers_own_list_that_is_known_wins(offered: str, chosen: tuple[str, str] | None) -> None:
    """C7, FIELD 14: odd spellings are understood, and echoed as they were spelled."""
    assert choose(offers({"sec-websocket-protocol": offered}), ["ocpp2.0.1", "ocpp1.6"]) == chosen


def test_who_offers_nothing_gets_nothing() -> None:
    """C9."""
    assert offers({}) == [] and choose([], ["ocpp1.6"]) is None


# the path, if there is only one


@pytest.mark.parametrize("target", ["/ocpp/CP1", "/ocpp/CP1?x=/a", "/ocpp/CP1#/a", "ws://host/ocpp/CP1", "/ocpp/%43P1"])
def test_below_the_path_that_is_set_a_charger_has_its_identity(target: str) -> None:
    assert identity(target.encode(), below="/ocpp") == "CP1"


@pytest.mark.parametrize(
    "target",
    ["/CP1", "/ocpp/CP2/CP1", "/CP2/ocpp/CP1", "//ocpp/CP1", "/ocpp//CP1", "/ocpp/CP1/", "/OCPP/CP1", "/ocpp2/CP1", "/ocpp/../ocpp/CP1", "/%6fcpp/CP1", "/ocppCP1", "/ocpp/x;/CP1"],
)  # fmt: skip
def test_any_other_path_is_not_found(target: str) -> None:
    """H 3.1: a proxy that admits /ocpp/CP2 and what is below it does not admit CP1."""
    with pytest.raises(BadHandshake) as why:
        identity(target.encode(), below="/ocpp")
    assert why.value.status == 404


def test_the_root_may_be_the_only_path() -> None:
    assert identity(b"/CP1", below="/") == "CP1"
    with pytest.raises(BadHandshake):
        identity(b"/ocpp/CP1", below="/")
