"""Which messages may violate their schema, and how violations are counted."""

from __future__ import annotations

import json
import time
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp import timestamps
from ocpp_tw.ocpp.schemas import Violation, load
from ocpp_tw.ocpp.tolerance import evidence, rules
from ocpp_tw.ocpp.tolerance.evidence import Evidence
from ocpp_tw.ocpp.tolerance.rules import Tolerance
from ocpp_tw.settings import InvalidSetting

FILE = """
default = "strict"

[[rule]]
vendor = "ACME*"
action = "MeterValues"
mode = "tolerant"

[[rule]]
charger = "CP-7"
timezone = "+03:00"

[[rule]]
charger = "CP-*"
model = "two"
mode = "tolerant"
timezone = "UTC"

[[rule]]
charger = "CP-*"
mode = "strict"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("who", "mode", "offset"),
    [
        (("X", "Acme Inc", "one", "MeterValues"), "tolerant", None),
        (("X", "Acme Inc", "one", "StopTransaction"), "strict", None),
        (("X", None, None, "MeterValues"), "strict", None),  # vendor and model are unknown until BootNotification
        (("CP-7", "ACME", "one", "MeterValues"), "tolerant", 3),  # the mode of one rule, the zone of another
        (("CP-7", "V", "Two", "Heartbeat"), "tolerant", 3),  # the first with a zone
        (("CP-8", "V", "two", "Heartbeat"), "tolerant", 0),
        (("CP-8", "V", "three", "Heartbeat"), "strict", None),
        (("cp-8", "V", "two", "Heartbeat"), "strict", None),  # ids are case-sensitive
    ],
)
def test_the_first_matching_rule_with_a_mode_or_zone_decides_it(
    tmp_path: Path, who: tuple[str, str, str, str], mode: str, offset: int | None
) -> None:
    rules = Tolerance.from_file(written(tmp_path, FILE))
    for _ in range(2):  # decided, then cached
        decision = rules.decide(*who)
        assert rules.mode(*who) == decision.mode == mode
        assert (None if decision.zone is None else decision.zone.utcoffset(None)) == (None if offset is None else timedelta(hours=offset))


def test_without_rules_it_is_the_default(tmp_path: Path) -> None:
    for default in rules.MODES:
        assert Tolerance(default=default).mode("X", None, None, "Heartbeat") == default
        assert Tolerance.from_file(written(tmp_path, ""), default).mode("X", "V", "M", "Heartbeat") == default
    assert Tolerance().mode("X", None, None, "Heartbeat") == "tolerant"
    assert Tolerance.from_file(written(tmp_path, 'timezone = "UTC"')).decide("X", None, None, "Heartbeat").zone is UTC
    assert Tolerance.from_file(written(tmp_path, 'default = "tolerant"'), "strict").mode("X", None, None, "Heartbeat") == "tolerant"


def test_a_rule_for_a_model_applies_once_the_model_is_known(tmp_path: Path) -> None:
    """A cached decision from before does not."""
    rules = Tolerance.from_file(written(tmp_path, '[[rule]]\nmodel = "M"\nmode = "strict"'))
    assert rules.mode("X", None, None, "Heartbeat") == "tolerant"
    assert rules.mode("X", "V", "M", "Heartbeat") == "strict"


def test_the_cache_of_decisions_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a rule for single chargers, decisions are cached by model."""
    monkeypatch.setattr(rules, "MAX_DECISIONS", 10)
    by_model = Tolerance.from_file(written(tmp_path, '[[rule]]\nmodel = "M"\nmode = "strict"'))
    by_charger = Tolerance.from_file(written(tmp_path, '[[rule]]\ncharger = "c9*"\nmode = "strict"'))
    for number in range(100):
        assert by_model.mode(f"c{number}", "V", "M", "Heartbeat") == "strict"
        expected = "strict" if f"{number}".startswith("9") else "tolerant"
        assert by_charger.mode(f"c{number}", "V", "M", "Heartbeat") == expected
    assert by_model.cached == 1 and by_charger.cached <= 10


def test_a_decision_is_cheap(tmp_path: Path) -> None:
    """Every message needs one."""
    rules = Tolerance.from_file(written(tmp_path, FILE))
    rules.mode("CP-8", "V", "two", "Heartbeat")
    began = time.process_time()
    for _ in range(10_000):
        rules.mode("CP-8", "V", "two", "Heartbeat")
    assert time.process_time() - began < 0.5


def test_a_zone_can_be_given_by_name(tmp_path: Path) -> None:
    """With daylight saving time; of the hour that occurs twice, the first."""
    try:
        zone = Tolerance.from_file(written(tmp_path, 'timezone = "Europe/Amsterdam"')).default.zone
    except InvalidSetting:
        pytest.skip("this machine has no time zones")
    assert zone is not None
    assert timestamps.to_utc("2026-07-01T12:00:00", zone) == "2026-07-01T10:00:00Z"
    assert timestamps.to_utc("2026-12-01T12:00:00", zone) == "2026-12-01T11:00:00Z"
    assert timestamps.to_utc("2026-10-25T02:30:00", zone) == "2026-10-25T00:30:00Z"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("default = ", "not TOML: "),
        ('default = "lax"', "default: expected tolerant or strict, not 'lax'"),
        ("default = []", "default: expected tolerant or strict, not []"),
        ("rules = 1", "rules: unknown; expected default, timezone or rule"),
        ('[rule]\nmode = "strict"', "rule: expected [[rule]], in two pairs of brackets"),
        ("rule = [1]", "rule 1: expected a table"),
        ('[[rule]]\nmode = "strict"\n[[rule]]\nmode = "lax"', "rule 2: mode: expected tolerant or strict, not 'lax'"),
        ('[[rule]]\nvendor = "A"', "rule 1: says neither mode nor timezone"),
        (
            '[[rule]]\nvendr = "A"\nmode = "strict"',
            "rule 1: vendr: unknown; expected charger, vendor, model, action, mode or timezone",
        ),
        ('[[rule]]\nvendor = 5\nmode = "strict"', "rule 1: vendor: expected a name or a glob, not 5"),
        ('[[rule]]\nvendor = ""\nmode = "strict"', "rule 1: vendor: expected a name or a glob, not ''"),
        ('[[rule]]\naction = "MeterValue"\nmode = "strict"', "rule 1: action: OCPP has none that is 'MeterValue'"),
        ('[[rule]]\ntimezone = "Mars/Base"', "rule 1: timezone: expected one such as +03:00, UTC or Europe/Amsterdam, not 'Mars/Base'"),
        ("[[rule]]\ntimezone = 3", "rule 1: timezone: expected one such as +03:00, UTC or Europe/Amsterdam, not 3"),
        ('timezone = "+25:00"', "timezone: expected one such as +03:00, UTC or Europe/Amsterdam, not '+25:00'"),
        ('timezone = "../etc/passwd"', "timezone: expected one such as"),
    ],
)
def test_an_invalid_file_is_reported_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidSetting) as caught:
        Tolerance.from_file(path)
    assert str(caught.value).startswith(f"{path}: {said}") and "\n" not in str(caught.value)


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"none\.toml: No such file"):
        Tolerance.from_file(tmp_path / "none.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSetting, match="not UTF-8"):
        Tolerance.from_file(tmp_path / "binary")


toml = st.recursive(
    st.text(max_size=5) | st.integers() | st.booleans() | st.sampled_from(["strict", "*", "[", "UTC", "+01:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mode", "vendor", "action", "timezone"]), inner),
)


@given(st.dictionaries(st.sampled_from(["default", "timezone", "rule", "x"]), toml))
@settings(deadline=None)
def test_any_file_is_accepted_or_an_invalid_setting(file: dict[str, object]) -> None:
    try:
        read = rules.parse(file)
    except InvalidSetting as why:
        assert str(why)
    else:
        assert read.mode("X", "V", "M", "Heartbeat") in rules.MODES


V16 = load("v16")
MODEL = ("V", "M", "1.0")


def test_violations_are_counted_by_model_path_and_rule() -> None:
    counted = Evidence()
    sample = {"value": "1", "unit": "Fortnights"}
    bad = {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [sample, sample]}], "extra": 7}
    counted.record(MODEL, "MeterValues", V16.request("MeterValues", bad), "10:00")
    counted.record(MODEL, "MeterValues", V16.request("MeterValues", bad | {"extra": 8}), "10:01", refused=True)
    counted.record((None, None, None), "Authorize", V16.request("Authorize", {}), "10:02")
    unknown, known = counted.report()
    assert (unknown["vendor"], unknown["messages"]) == (None, 1)
    missing = {"action": "Authorize", "path": "idTag", "rule": "required", "count": 1, "refused": 0}
    assert unknown["breaches"] == [missing | {"first": "10:02", "last": "10:02", "example": None}]
    assert {name: known[name] for name in ("vendor", "model", "firmware", "messages", "more")} == {
        "vendor": "V",
        "model": "M",
        "firmware": "1.0",
        "messages": 2,
        "more": 0,
    }
    times = {"first": "10:00", "last": "10:01"}
    unit = {"action": "MeterValues", "path": "meterValue/sampledValue/unit", "rule": "enum", "count": 4, "refused": 2}
    extra = {"action": "MeterValues", "path": "extra", "rule": "additionalProperties", "count": 2, "refused": 1}
    assert known["breaches"] == [unit | times | {"example": "Fortnights"}, extra | times | {"example": 7}]


def test_evidence_is_bounded() -> None:
    """Whatever names chargers make up."""
    counted = Evidence()
    for number in range(evidence.MAX_MODELS + 50):
        counted.record((f"V{number}" * 1000, "M", None), "Heartbeat", [Violation(("x",), "type", "y" * 100_000, "")], "now")
    assert len(counted.report()) == evidence.MAX_MODELS + 1
    names = tuple(f"{number:04d}" * 1000 for number in range(evidence.MAX_KINDS + 50))
    many = [Violation((), "additionalProperties", dict.fromkeys(names, 1), "", names)]
    busy = Evidence()
    busy.record(MODEL, "Heartbeat", many, "now")
    (record,) = busy.report()
    assert len(record["breaches"]) <= evidence.MAX_KINDS and len(record["breaches"]) + record["more"] == len(names)
    assert len(json.dumps(counted.report())) < 400_000


def test_the_violations_counted_of_one_message_are_bounded() -> None:
    counted = Evidence()
    counted.record(MODEL, "Heartbeat", [Violation(("x", number), "type", 1, "") for number in range(10_000)], "now")
    counted.record(MODEL, "Heartbeat", [Violation((), "additionalProperties", {}, "", tuple(map(str, range(10_000))))], "now")
    (record,) = counted.report()
    assert record["breaches"][0]["count"] == evidence.MAX_EXAMINED
    assert len(record["breaches"]) - 1 + record["more"] == evidence.MAX_EXAMINED
