"""The HTTP of a gateway process, tried by schemathesis with what its OpenAPI allows and with what it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SETTINGS = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "4xx", 503]
[[operations]]
include-path-regex = "^/command"
phases.coverage.enabled = false  # thousands of cases, one for each member of each command
[[operations]]
include-path-regex = "^/api/commands"
phases.coverage.enabled = false
checks.negative_data_rejection.expected-statuses = ["202", "4xx", "503"]  # what is wrong in a command for the charger's version, its result says
"""

STREAMS = "^/api/(live|watch/)"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)


@pytest.mark.parametrize(("workers", "phases", "examples", "least"), [("1", "coverage,fuzzing", "30", 300), ("2", "fuzzing", "10", 50)])
def test_every_answer_is_as_openapi_says(start, tmp_path, workers, phases, examples, least):
    """Some hundreds of requests, the same in each run; of the workers the front answers."""
    pytest.importorskip(
        "schemathesis", reason="schemathesis is not installed: `make install`, then `make test ARGS=tests/live/test_http_contract.py`"
    )
    here = start("--workers", workers)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests/support"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "SCHEMATHESIS_HOOKS": "http_cases"}
    chargers = [
        subprocess.Popen(
            [sys.executable, "-m", "ocpp_tw.cli", "simulate", "--url", f"ws://127.0.0.1:{here.port}/", "--id", id, "--ocpp", ocpp, "--wait", "--quiet"],
            env=environment, cwd=tmp_path,
        )
        for id, ocpp in (("cp-16", "1.6"), ("cp-201", "2.0.1"))
    ]  # fmt: skip
    try:
        here.until(lambda: len(here.get("/api/chargers")[1]) == 2)
        (tmp_path / "schemathesis.toml").write_text(SETTINGS)
        program = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file", "schemathesis.toml"]
        run = [
            *("run", f"http://127.0.0.1:{here.http}/api/openapi.json", "--checks", ",".join(CHECKS), "--phases", phases),
            *("--exclude-path-regex", STREAMS),  # which do not end
            *("--max-examples", examples, "--generation-deterministic", "--warnings", "off", "--no-color"),
        ]
        done = subprocess.run([*program, *run], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    finally:
        for each in chargers:
            each.kill()
            each.wait()
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tried = re.search(r"(\d+) generated", done.stdout)
    assert tried is not None and int(tried[1]) > least, done.stdout
    assert "Traceback" not in here.log.read_text()
