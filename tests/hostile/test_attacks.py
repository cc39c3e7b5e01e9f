"""The quick attacks, each for a second or two; `make hostile` is the whole table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hostile.attacks import ATTACKS
from hostile.goals import HELD, MISSED, findings, verdict
from hostile.report import paragraph
from hostile.trial import Figures, trial

ROOT = Path(__file__).parents[2]

QUICK = (
    "bytes after a refused frame",
    "control frames unread",
    "header bombs",
    "1,000 empty fragments a message",
    "pongs",
    "seqNo bombs",
    "bodies of 300 MB",
    "multipart of 30 MB",
    "half a million violations",
    "1 MB of brackets",
    "tags of 0.9 MB",
)
"""The attacks that the suite tries; the others take longer, or cost so much that a busy machine shows in them."""

SECONDS = 1.5

MARGIN = 10.0
"""Factor by which times may exceed their goal: other tests run at the same time, and a p99 of so few answers is their longest."""


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", QUICK)
def test_an_attack_costs_the_gateway_little_and_an_innocent_charger_nothing(name):
    attack = ATTACKS[name]
    for last in (False, True):
        figures = trial(attack, SECONDS, before=1.0, settle=1.0)
        found = list(findings(attack, figures, MARGIN))
        if verdict(found) != MISSED:
            break
        assert not last, paragraph(attack, figures, found)


def test_a_figure_beyond_its_goal_is_told_and_one_beyond_the_margin_is_missed():
    attack = ATTACKS["no attack"]
    usual = {"p99_before": 2.0, "p99": 4.0, "longest_before": 3.0, "longest": 9.0}
    assert verdict(list(findings(attack, Figures(peak=4.9, left=4.9, log=99, redis=0.9, **usual)))) == HELD
    for one in ({"peak": 6.0}, {"p99": 21.0}, {"longest": 60.0}):
        found = list(findings(attack, Figures(**{**usual, **one})))
        assert len(found) == 1 and not found[0].missed, one
    missed = (
        {"peak": 20.0}, {"left": 20.0}, {"p99": 90.0}, {"longest": 201.0}, {"log": 101.0}, {"redis": 2.0},
        {"failures": ["refused"]}, {"lost": 1}, {"tracebacks": 1}, {"unprintable": 1}, {"died": True},
    )  # fmt: skip
    for one in missed:
        assert verdict(list(findings(attack, Figures(**{**usual, **one})))) == MISSED, one


def test_the_document_has_every_attack():
    result = (ROOT / "docs/operations.md").read_text().partition("<!-- hostile -->")[2].partition("<!-- hostile end -->")[0]
    for name in ATTACKS:
        assert f"\n| {name} " in result, name
