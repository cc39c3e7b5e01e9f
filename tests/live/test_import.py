"""``ocpp-tw chargers`` against a gateway process: a file of chargers becomes chargers that can come in."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from certificates import Made
from fleets import PATIENCE
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.tokens import new_token

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


def chargers(directory: Path, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ocpp_tw.cli", "chargers", *map(str, arguments)],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def written(directory: Path, text: str) -> Path:
    file = directory / "chargers.csv"
    file.write_text(text)
    return file


def connection(gateway: Any, id: str, password: str, **headers: str) -> websockets.sync.client.ClientConnection:
    header = {"Authorization": "Basic " + b64encode(f"{id}:{password}".encode()).decode(), **headers}
    url = f"ws://127.0.0.1:{gateway.port}/{quote(id)}"
    return websockets.sync.client.connect(url, subprotocols=["ocpp1.6"], additional_headers=header)


def comes_in(gateway: Any, id: str, password: str) -> int:
    """0, or the status that it is refused with."""
    try:
        with connection(gateway, id, password):
            return 0
    except InvalidStatus as why:
        return why.response.status_code


def test_a_thousand_chargers_are_registered_in_seconds_and_come_in(start, tmp_path):
    gateway = start("--security-profile", "1")
    lines = [f"CP {n},generate,,," for n in range(999)]
    file = written(tmp_path, "id,password,security_profile,boot_status,version\nfixed," + PASSWORD + ",1,Accepted,1.6\n" + "\n".join(lines))
    url, out = f"http://127.0.0.1:{gateway.http}", tmp_path / "passwords.csv"
    assert chargers(tmp_path, "import", file, "--check", "--url", url).returncode == 0 and not out.exists()
    begun = time.monotonic()
    done = chargers(tmp_path, "import", file, "--url", url, "--out", out)
    assert done.returncode == 0 and "1000 chargers registered" in done.stdout, done.stderr
    assert time.monotonic() - begun < 60
    made = {row["id"]: row["password"] for row in csv.DictReader(out.open())}
    assert len(made) == 999 and stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not any(password in done.stdout + done.stderr for password in (PASSWORD, *made.values()))
    assert comes_in(gateway, "fixed", PASSWORD) == 0 and comes_in(gateway, "CP 7", "x") == 401
    assert comes_in(gateway, "CP 7", made["CP 7"]) == 0
    again = chargers(tmp_path, "import", file, "--url", url, "--out", out)
    assert again.returncode == 2 and "--out" in again.stderr and "File exists" in again.stderr  # no password is overwritten
    listed = chargers(tmp_path, "list", "--registered", "--url", url)
    assert listed.returncode == 0 and listed.stdout.count("\n") == 1000, listed.stderr
    assert listed.stdout.splitlines()[-1] == "fixed\tleast profile 1\tpassword\tAccepted"
    assert chargers(tmp_path, "show", "fixed", "--url", url).stdout.count('"password": true') == 1
    assert chargers(tmp_path, "remove", "fixed", "CP 7", "--url", url).returncode == 0
    assert comes_in(gateway, "fixed", PASSWORD) == 401
    nobody = chargers(tmp_path, "remove", "nobody", "--url", url)
    assert nobody.returncode == 1 and "nobody: 404 " in nobody.stderr


def test_each_line_that_fails_is_told_with_its_reason(start, tmp_path):
    gateway = start("--versions", "1.6", "--max-identity", "5")
    file = written(tmp_path, "id;version\ncp1;1.6\ncp2;2.0.1\ntoolong;\n\ncp3;\n")
    done = chargers(tmp_path, "import", file, "--url", f"http://127.0.0.1:{gateway.http}")
    assert done.returncode == 1 and "2 chargers registered" in done.stdout
    assert "2 of 4 were not registered" in done.stderr and "line 3: cp2: 400 version must be 1.6" in done.stderr
    assert "line 4: toolong: 400 No charger can have this identity" in done.stderr


def test_a_token_is_taken_from_the_environment_and_a_wrong_one_ends_it(start, tmp_path):
    token, line = new_token("alice", Role.admin)
    reader, other = new_token("eve", Role.read)
    (tmp_path / "tokens").write_text(f"{line}\n{other}\n")
    made = Made("gateway")
    (tmp_path / "ca.pem").write_bytes(made.certificate)
    gateway = start("--http-tokens", str(tmp_path / "tokens"), "--http-tls", made.write(tmp_path / "tls.pem"), wait=False)
    gateway.until(lambda: "listening for operators' HTTPS" in gateway.log.read_text())
    file = written(tmp_path, "id,password\n" + "\n".join(f"cp{n},generate" for n in range(50)))
    url = ("--url", f"https://127.0.0.1:{gateway.http}")
    for shown, why in (("", "401"), ("wrong", "401"), (reader, "needs a token with the role admin")):
        done = chargers(tmp_path, "import", file, *url, "--ca", "ca.pem", "--out", f"out-{why}{shown[:3]}", HTTP_TOKEN=shown)
        assert done.returncode == 1 and why in done.stderr and "49 of them not tried" in done.stderr
    assert "certificate is not trusted" in chargers(tmp_path, "list", *url, HTTP_TOKEN=token).stderr
    done = chargers(tmp_path, "import", file, *url, "--ca", "ca.pem", "--show-passwords", HTTP_TOKEN=token)
    assert done.returncode == 0 and done.stdout.count("cp") == 50 and token not in done.stdout
    (tmp_path / ".env").write_text(f"HTTP_TOKEN={token}\n")
    assert chargers(tmp_path, "show", "cp7", *url, "--ca", "ca.pem").returncode == 0
    assert gateway.log.read_text().count("operator's decision for cp7: ") == 1


def test_those_that_are_connected_are_listed(gateway, tmp_path):
    with websockets.sync.client.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp2.0.1"]):
        gateway.until(lambda: gateway.get("/api/chargers")[1])
        done = chargers(tmp_path, "list", "--url", f"http://127.0.0.1:{gateway.http}/")
        assert done.returncode == 0 and done.stdout == "cp1\t2.0.1\tprofile 0\t-\t127.0.0.1\n"


def test_without_a_gateway_it_says_so_at_once(tmp_path):
    done = chargers(tmp_path, "import", written(tmp_path, "id\na\nb\n"), "--url", "http://127.0.0.1:9")
    assert done.returncode == 1 and "Is the gateway running" in done.stderr and "1 of them not tried" in done.stderr


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["line 1 must name the columns"]),
        ("cp1,x\n", ["unknown columns: 'cp1', 'x'"]),
        ("id,colour\na,red\n", ["unknown columns: 'colour'"]),
        ("password\n" + PASSWORD, ["no column id"]),
        ("id,id\na,b\n", ["names a column twice"]),
        ("id\n", ["it has no chargers"]),
        ("id,password\na\n", ["line 2: it has 1 cells, and line 1 has 2"]),
        ("id,password\n," + PASSWORD, ["line 2: no charger can have this identity"]),
        ("id,password\na,s3cret\nb,s3cret2\n", ["line 2: password must be", "line 3: password must be"]),
        ("id,security_profile\na,4\nb,tls\n", ["line 2: security_profile must be", "line 3: security_profile must be"]),
        ("id,certificate\na,xyz\n", ["line 2: certificate must be"]),
        ("id,boot_status\na,Maybe\n", ["line 2: boot_status must be"]),
        ("id\ncp1\ncp2\nCP1\n", ["line 4: CP1 is in line 2 already"]),
        ('id,password\na,"x\n', ["it is not CSV"]),
        ("id\na/b\n", ["line 2: no charger can have this identity"]),
    ],
)
def test_a_wrong_file_is_told_line_by_line_and_nothing_is_sent(tmp_path, text, faults):
    done = chargers(tmp_path, "import", written(tmp_path, text), "--url", "http://127.0.0.1:9", "--out", tmp_path / "out")
    assert done.returncode == 1 and "nothing was sent" in done.stderr and "Traceback" not in done.stderr
    assert all(each in done.stderr for each in faults) and "s3cret" not in done.stderr and not (tmp_path / "out").exists()


def test_generated_passwords_need_a_place(tmp_path):
    done = chargers(tmp_path, "import", written(tmp_path, "id,password\na,generate\n"), "--url", "http://127.0.0.1:9")
    assert done.returncode == 2 and "--out" in done.stderr


def test_a_gateway_without_the_fleets_key_takes_no_passwords_until_it_is_told_to_go_on_with_its_own(start, tmp_path):
    assert start().put("/api/chargers/cp1", {"password": PASSWORD})[0] == 200
    other = start("--name", "other")
    url = ("--url", f"http://127.0.0.1:{other.http}")
    other.until(lambda: other.get("/readyz")[1]["credentials_key"] == "missing")
    assert other.log.read_text().count("credentials key missing: ") == 1
    file = written(tmp_path, f"id,password\ncp1,{PASSWORD}\n" + "\n".join(f"cp{n},generate" for n in range(2, 50)))
    done = chargers(tmp_path, "import", file, *url, "--out", "out")
    assert done.returncode == 1 and "line 2: cp1: 409 " in done.stderr and "adopt-key" in done.stderr, done.stderr
    assert "48 of them not tried" in done.stderr and (tmp_path / "out").read_text() == "id,password\n"
    done = chargers(tmp_path, "adopt-key", *url)
    assert done.returncode == 0 and "every charger its password again" in done.stdout, done.stderr
    assert other.get("/readyz")[1]["credentials_key"] is None
    assert chargers(tmp_path, "import", file, *url, "--out", "out2").returncode == 0 and comes_in(other, "cp1", PASSWORD) == 0


def test_a_file_that_is_imported_again_closes_nobody_whose_line_is_the_same(start, tmp_path):
    gateway = start()
    url = f"http://127.0.0.1:{gateway.http}"
    lines = [f"cp{n},{PASSWORD} {n},1,Accepted,1.6" for n in range(3)]
    head = "id,password,security_profile,boot_status,version\n"
    assert chargers(tmp_path, "import", written(tmp_path, head + "\n".join(lines)), "--url", url).returncode == 0
    with ExitStack() as connected:
        lines_to = [connected.enter_context(connection(gateway, f"cp{n}", f"{PASSWORD} {n}")) for n in range(3)]
        lines[2:] = [lines[2].replace(" 2,", " changed,"), f"cp3,{PASSWORD},1,Accepted,1.6"]
        assert chargers(tmp_path, "import", written(tmp_path, head + "\n".join(lines)), "--url", url).returncode == 0
        with pytest.raises(ConnectionClosed) as why:
            lines_to[2].recv(timeout=PATIENCE)
        assert (why.value.rcvd.code, why.value.rcvd.reason) == (1008, "its password has been changed")
        for line in lines_to[:2]:
            line.ping().wait(PATIENCE)
        assert [each["id"] for each in gateway.get("/api/chargers")[1]] == ["cp0", "cp1"]


def test_a_file_that_is_imported_again_leaves_what_has_come_of_it_since(start, tmp_path):
    gateway = start("--trusted-proxies", "127.0.0.1", "--call-timeout", "1")
    url = f"http://127.0.0.1:{gateway.http}"
    file = written(tmp_path, f"id,password,security_profile\ncp1,{PASSWORD},1\n")
    assert chargers(tmp_path, "import", file, "--url", url).returncode == 0
    over_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    with connection(gateway, "cp1", PASSWORD, **over_tls) as charger:
        charger.send('[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
        charger.recv(timeout=PATIENCE)
        rotating = Thread(target=gateway.post, args=("/api/chargers/cp1/rotate-password", {}))
        rotating.start()
        _, id, _, payload = json.loads(charger.recv(timeout=PATIENCE))
        charger.send(json.dumps([3, id, {"status": "RebootRequired"}]))
        rotating.join(PATIENCE)
    assert chargers(tmp_path, "import", file, "--url", url).returncode == 0
    _, shown = gateway.get("/api/chargers/cp1")
    assert (shown["password_rotation"], shown["least_security_profile"]) == ("waiting", 2)
    with connection(gateway, "cp1", payload["value"], **over_tls):
        pass
    gateway.put("/api/chargers/cp1", {"security_profile": 1})
    assert gateway.get("/api/chargers/cp1")[1]["least_security_profile"] == 1
