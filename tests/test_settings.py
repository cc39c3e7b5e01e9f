"""Settings: an option overrides its variable, which overrides the default; each invalid value is reported in one clear line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from ocpp_tw.read_settings import read
from ocpp_tw.setting_types import address, name, redis_url
from ocpp_tw.settings import TABLE, Address, InvalidSetting, Setting, Settings, worker_settings
from ocpp_tw.tap import Options

TOKEN = {"http_token": "secret"}


def wrong(options: dict[str, str | None], environment: dict[str, str] | None = None) -> str:
    """The one line that reports an invalid value."""
    with pytest.raises(InvalidSetting) as caught:
        read(options, environment or {})
    line = str(caught.value)
    assert line.isprintable() and len(line) < 300
    return line


# where values come from


def test_without_options_and_variables_the_quick_start_works() -> None:
    """CONTRACT 5: chargers on 10800 of every interface, operators on loopback only, every tag accepted without a backend."""
    settings = read({}, {})
    assert (settings.port, settings.http) == (Address("", 10800), Address("127.0.0.1", 10801))
    assert (settings.events, settings.commands, settings.base_url, settings.authorize) == ("events", "commands", "", "accept")
    assert settings.versions == ("1.6", "2.0.1", "2.1") and settings.validation == "tolerant" and settings.workers == 1


@pytest.mark.parametrize("row", [row for row in TABLE if row.default not in ("", ())], ids=lambda row: row.name)
def test_a_default_can_be_given_explicitly(row: Setting) -> None:
    """By the option or the variable, as `--help` shows it."""
    assert read({row.name: row.typed}, {}) == read({}, {row.variable: row.typed}) == Settings()


def test_help_and_documents_show_defaults_as_one_types_them() -> None:
    shown = {row.name: row.typed for row in TABLE}
    assert (shown["versions"], shown["legacy"], shown["event_payload"], shown["backend_actions"]) == ("1.6,2.0.1,2.1", "no", "yes", "")
    assert (shown["port"], shown["drain"], shown["redis_db"], shown["name"]) == (":10800", "8", "0", "")
    explained = Options().getUsage()
    assert "default: 1.6,2.0.1,2.1]" in " ".join(explained.split()) and "default: ]" not in explained and "('1.6'" not in explained


def test_each_setting_has_an_option_and_a_variable_of_its_own_and_a_meaning() -> None:
    assert len({row.variable for row in TABLE}) == len({row.option for row in TABLE}) == len(TABLE)
    assert all(re.fullmatch("--[a-z]+(-[a-z]+)*", row.option) and re.fullmatch("[A-Z]+(_[A-Z]+)*", row.variable) for row in TABLE)
    assert all(row.meaning and row.meaning.isprintable() for row in TABLE)


def test_the_seeds_variables_are_understood() -> None:
    """CONTRACT 5: ADDR, BASE_URL and REDIS_ADDR."""
    made = read({}, {"ADDR": ":10800", "BASE_URL": "http://backend:8000/", "REDIS_ADDR": "redis:6379", "PATH": "/bin"})
    assert (made.port, made.base_url, made.redis) == (Address("", 10800), "http://backend:8000", "redis://redis:6379")


def test_an_option_wins_over_its_variable() -> None:
    """CONTRACT 5."""
    assert read({"events": "mine"}, {"EVENTS_LIST": "theirs"}).events == "mine"
    assert read({"events": None}, {"EVENTS_LIST": "theirs"}).events == "theirs"


def test_a_wrong_variable_does_not_matter_when_the_option_is_given() -> None:
    """It is not even parsed."""
    assert read({"drain": "3"}, {"DRAIN_TIMEOUT": "nonsense"}).drain == 3.0


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files write them so."""
    assert read({}, dict.fromkeys((row.variable for row in TABLE), "")) == Settings()


def test_an_empty_option_is_the_default_whatever_the_variable_says() -> None:
    """`--redis ''` overrides what the environment names."""
    assert read({"redis": "", "events": ""}, {"REDIS_ADDR": "elsewhere:1", "EVENTS_LIST": "theirs"}) == Settings()


# wrong values

WRONG = {
    "security_profile": ["-1", "4", "1.0", "TLS"],
    "unknown_chargers": ["no", "reject"],
    "path": ["ocpp", "/a b", "//", "/a/../b", "/a?b", "/%41"],
    "register": ["redis", "operator", "yes"],
    "port": [
        "x",
        "-1",
        "65536",
        "1:2:3",
        "::1:80",
        "http://x:80",
        "[::1]",
        "[zz]:80",
        "[1.2.3.4]:80",
        "[::::]:80",
        "a b:80",
        "x/y:80",
        "\u0661\u0662",
        "1e3",
        "host:",
    ],
    "ca_days": ["0", "3651", "-1", "x"],
    "http": ["x", "127.0.0.1", "localhost"],
    "redis": [
        "x",
        "http://x:1",
        "redis://",
        "redis:///0",
        "redis://h:port",
        "redis://h:99999",
        "redis://h:0",
        "redis://[::1",
        "redis://h/x",
        "redis://a b:1",
        "redis+sentinel://h:1",
        "redis+sentinel://h:1/",
        "redis+sentinel:///service",
        "redis+sentinel://h:1,/service",
        "redis+sentinel://h:x/service",
        "redis+sentinel://h:1/service/x",
        "unix+sentinel://h:1/service",
    ],
    "redis_db": ["-1", "x", "1.5", "1000001", "\u0661"],
    "events": ["a b", "x" * 65, "ä", "a\n", "{x}", "a*"],
    "commands": ["a/b"],
    "prefix": ["a b"],
    "name": ["a b"],
    "base_url": [
        "backend:8000",
        "ftp://x",
        "http://",
        "http:///path",
        "http://x?y=1",
        "http://x#y",
        "http://[::1",
        "http://x:port",
        "http://x:99999",
        "http://a b/",
        "http://x\n",
    ],
    "authorize": ["everybody", "accept backend"],
    "backend_timeout": ["0", "-1", "x", "nan", "inf", "1e9", "3s"],
    "backend_policy": ["accept"],
    "backend_limit": ["0", "10001", "x"],
    "http_connections": ["0", "3", "100001", "x"],
    "http_commands": ["0", "1000001", "-1"],
    "heartbeat_interval": ["0", "86401", "30.5"],
    "boot_status": ["ok"],
    "call_timeout": ["0", "soon"],
    "ping_interval": ["0"],
    "ping_timeout": ["-1"],
    "handshake_timeout": ["x"],
    "max_connections": ["0", "1000001", "many"],
    "max_connections_per_address": ["0"],
    "max_handshakes": ["0"],
    "max_handshakes_per_address": ["0"],
    "max_message": ["1023", "1073741825"],
    "max_identity": ["0", "256"],
    "large_messages": ["0", "4097", "1.5"],
    "message_rate": ["-1", "1000001", "many"],
    "byte_rate": ["-1", "1073741825", "1k"],
    "subprotocol_mismatch": ["ignore"],
    "default_subprotocol": ["ocpp1.5"],
    "validation": ["off"],
    "history": ["-1", "many", "10000001"],
    "event_payload": ["maybe", "2"],
    "otel": ["maybe", "2"],
    "versions": ["1.5", "1.6,3", ","],
    "legacy": ["perhaps"],
    "tls_only": ["perhaps"],
    "trusted_proxies": ["proxy", "10.0.0.0/33", "::1/129"],
    "proxy_protocol": ["v2"],
    "proxy_certificate_header": ["X Cert", "Cert:", "x" * 65],
    "backend_actions": ["a b", "/", ","],
    "workers": ["0", "65", "-1", "1.5", "many"],
    "drain": ["0"],
    "tap": ["-1", "1048577", "64M", "1.5"],
    "spool_limit": ["0", "-1", "4G", "16777217"],
    "durability": ["aof", "yes"],
}


def test_every_setting_that_can_be_wrong_is_tried() -> None:
    """The others take any text."""
    texts = {"http_token", "http_tokens", "http_tls", "http_tls_key", "data", "handlers", "tolerance", "spool", "tls", "tls_key"}
    texts |= {"tls_client_ca", "tls_client_crl", "client_organization", "credentials_key", "ca"}
    assert {row.name for row in TABLE} - set(WRONG) == texts


@pytest.mark.parametrize("name", WRONG)
def test_an_invalid_value_is_reported_in_one_line_that_names_its_source(name: str) -> None:
    """The option or the variable, the value, and what would do."""
    row = next(row for row in TABLE if row.name == name)
    for value in WRONG[name]:
        for line, said in ((wrong({name: value}), row.option), (wrong({}, {row.variable: value}), row.variable)):
            assert line.startswith(f"{said}: expected ") and repr(value)[1:-1] in line


def test_a_password_in_a_wrong_url_is_not_shown() -> None:
    """A24: the line ends up in logs and terminals."""
    line = wrong({"redis": "redis://user:s3cret@host:port/0"})
    assert "s3cret" not in line and "host:port" in line
    assert "p@ss" not in wrong({"base_url": "http://u:p@ss@host:port"})


@given(st.sampled_from(TABLE), st.text(max_size=30) | st.sampled_from(["http://[", "redis://[", "unix://", "//", "[]:1"]))
@hypothesis(deadline=None)
def test_any_text_is_a_value_or_an_invalid_setting(row: Setting, text: str) -> None:
    """Reading a configuration, however broken, raises nothing but InvalidSetting."""
    try:
        read({row.name: text, **({} if row.name == "http_token" else TOKEN)}, {})
    except InvalidSetting as why:
        assert str(why).startswith("--") and "\n" not in str(why)


def test_a_number_with_any_white_space_around_it_is_read() -> None:
    assert read({"ca_days": "\x1f7\u2003\n"}, {}).ca_days == 7


# values that go together


@pytest.mark.parametrize(
    "http", ["10801", ":10801", "0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[2001:db8::1]:1", "gateway.example.com:1", "127.1:1"]
)
def test_http_beyond_loopback_needs_a_token(http: str) -> None:
    """CONTRACT 4, A1: and the gateway refuses to start without one."""
    assert wrong({"http": http}).startswith("--http: ") and "HTTP_TOKEN" in wrong({"http": http})
    assert read({"http": http, **TOKEN}, {}).http == address(http)
    assert read({"http": http}, {"HTTP_TOKEN": "secret"}).http_token == "secret"
    assert read({"http": http}, {"HTTP_TOKENS": "tokens"}).http_tokens == "tokens"
    assert wrong({"http": http, "http_tls": "tls.pem"}).startswith("--http: "), "TLS says who the gateway is, not who asks"


def test_a_key_of_https_needs_its_certificate() -> None:
    assert wrong({"http_tls_key": "key.pem"}).startswith("--http-tls-key: needs --http-tls ")
    assert read({"http_tls_key": "key.pem", "http_tls": "tls.pem"}, {}).http_tls_key == ("key.pem",)


PROFILE = {"tls": "tls.pem", "tls_client_ca": "ca.pem"}


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"security_profile": "2"}, "--tls "),
        ({"security_profile": "3", "tls": "tls.pem"}, "--tls-client-ca "),
        ({"security_profile": "3", "tls_client_ca": "ca.pem", "trusted_proxies": "10.0.0.1"}, "--proxy-certificate-header "),
        ({"client_organization": "Operator"}, "--tls-client-ca "),
        ({"client_organization": "Operator", "tls": "tls.pem"}, "--tls-client-ca "),
    ],
)
def test_a_security_profile_that_nobody_could_have_is_refused(given: dict[str, str], needed: str) -> None:
    said = wrong(given)
    assert said.startswith(("--security-profile: ", "--client-organization: ")) and needed in said


@pytest.mark.parametrize(
    "given",
    [
        {"security_profile": "0"},
        {"security_profile": "1"},
        {"security_profile": "2", "tls": "tls.pem"},
        {"security_profile": "2", "trusted_proxies": "10.0.0.1"},
        {"security_profile": "3", **PROFILE},
        {"security_profile": "3", "client_organization": "Operator", **PROFILE},
        {"security_profile": "3", "tls_client_ca": "ca.pem", "trusted_proxies": "10.0.0.1", "proxy_protocol": "yes"},
        {"security_profile": "3", "tls_client_ca": "ca.pem", "trusted_proxies": "10.0.0.1", "proxy_certificate_header": "X-Cert"},
    ],
)
def test_a_security_profile_that_chargers_can_have_is_taken(given: dict[str, str]) -> None:
    assert read(given, {}).security_profile == given["security_profile"]


@pytest.mark.parametrize(
    ("given", "open"),
    [
        ({}, True),
        ({"port": "0.0.0.0:1"}, True),
        ({"port": "127.0.0.1:1"}, False),
        ({"port": "[::1]:1"}, False),
        ({"security_profile": "0"}, False),
        ({"security_profile": "1"}, False),
    ],
)
def test_a_door_is_open_unless_it_was_asked_for_or_leads_nowhere(given: dict[str, str], open: bool) -> None:
    assert bool(read(given, {}).open_doors) is open


@pytest.mark.parametrize("http", ["127.0.0.1:1", "127.0.0.2:1", "localhost:1", "[::1]:1"])
def test_http_on_loopback_needs_none(http: str) -> None:
    """CONTRACT 4."""
    assert read({"http": http}, {}).http.loopback


def test_authorizing_by_the_backend_needs_a_backend() -> None:
    """CONTRACT 3."""
    assert wrong({"authorize": "backend"}).startswith("--authorize: ")
    assert read({"authorize": "backend", "base_url": "http://b"}, {}).authorize == "backend"


def test_the_backend_as_the_register_needs_a_backend_and_decides_about_all() -> None:
    assert "--base-url" in wrong({"register": "backend"})
    assert read({"register": "backend", "base_url": "http://b"}, {}).register == "backend"
    assert wrong({"register": "backend", "base_url": "http://b", "unknown_chargers": "refuse"}).startswith("--unknown-chargers: ")


# how values are written


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("10800", "", 10800, ":10800"),
        (":10800", "", 10800, ":10800"),
        (" 10800 ", "", 10800, ":10800"),
        ("0.0.0.0:1", "0.0.0.0", 1, "0.0.0.0:1"),
        ("csms.example.com:65535", "csms.example.com", 65535, "csms.example.com:65535"),
        ("[::1]:0", "::1", 0, "[::1]:0"),
        ("[2001:DB8::a]:80", "2001:DB8::a", 80, "[2001:DB8::a]:80"),
        ("[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80, "[::ffff:1.2.3.4]:80"),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, host: str, port: int, shown: str) -> None:
    """CONTRACT 5; and what it shows can be parsed again."""
    assert address(text) == Address(host, port) and str(Address(host, port)) == shown
    assert address(shown) == Address(host, port)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("6380", "redis://127.0.0.1:6380"),
        (":6380", "redis://127.0.0.1:6380"),
        ("redis:6379", "redis://redis:6379"),
        ("[::1]:6379", "redis://[::1]:6379"),
        *((url, url) for url in ("redis://h", "redis://h:1/2", "redis://:secret@h:1", "rediss://user:p%40ss@h:1/0", "redis://[::1]:1")),
        *((url, url) for url in ("unix:///run/valkey.sock", "unix://valkey.sock")),
    ],
)
def test_a_redis_is_named_by_address_or_url(text: str, url: str) -> None:
    """CONTRACT 5."""
    assert redis_url(text) == url


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("event_payload", "No", False),
        ("event_payload", "off", False),
        ("event_payload", "0", False),
        ("event_payload", " TRUE ", True),
        ("boot_status", "pending", "Pending"),
        ("validation", "STRICT", "strict"),
        ("call_timeout", "2.5", 2.5),
        ("max_message", "1048576", 1 << 20),
        ("max_identity", "255", 255),
        ("message_rate", "0", 0),
        ("base_url", "https://user@backend/base/", "https://user@backend/base"),
        ("base_url", "http://[::1]:8000", "http://[::1]:8000"),
        ("name", "gw-1.example.com:10800", "gw-1.example.com:10800"),
        ("default_subprotocol", "OCPP1.6", "ocpp1.6"),
    ],
)
def test_a_value_is_accepted_as_people_write_it(name: str, text: str, value: Any) -> None:
    """A word in any case."""
    assert getattr(read({name: text}, {}), name) == value


def test_the_spool_can_be_turned_off_by_a_word() -> None:
    assert read({}, {}).spool == "ocpp-spool"
    assert read({"spool": "/var/lib/ocpp"}, {}).spool == "/var/lib/ocpp"
    assert [read({"spool": word}, {}).spool for word in ("no", "No", "off")] == ["", "", ""]


def test_durability_fsync_needs_a_spool() -> None:
    with pytest.raises(InvalidSetting, match="--durability"):
        read({"spool": "no", "durability": "fsync"}, {})


# several workers


@pytest.mark.parametrize(("workers", "longest"), [(1, 64), (2, 62), (9, 62), (10, 61), (64, 61)])
def test_a_name_leaves_room_for_the_numbers_of_the_workers(workers: int, longest: int) -> None:
    """Each worker is a gateway with a name of its own."""
    settings = read({"name": "n" * longest, "workers": str(workers)}, {})
    own = [worker_settings(settings, number).name for number in range(1, workers + 1)] if workers > 1 else [settings.name]
    assert len(set(own)) == workers and all(name(each) == each for each in own)
    if workers > 1:
        assert f"{longest} characters" in wrong({"name": "n" * (longest + 1), "workers": str(workers)})


def test_a_worker_is_a_gateway_with_its_own_name_and_spool() -> None:
    """And without workers of its own; its parent limits operators' connections."""
    settings = read({"name": "gw", "workers": "3", "drain": "5"}, {})
    alone = read({"name": "gw-2", "drain": "5", "spool": "ocpp-spool/2"}, {})
    assert worker_settings(settings, 2) == replace(alone, http_connections=0)
    opened = {"http_token": "s3cret", "http_tokens": "tokens", "http_tls": "tls.pem", "http_tls_key": "key.pem"}
    assert worker_settings(read({"name": "gw", "workers": "3", "drain": "5", **opened}, {}), 2) == worker_settings(settings, 2)
    assert worker_settings(read({"name": "gw", "workers": "3", "spool": "no"}, {}), 2).spool == ""
