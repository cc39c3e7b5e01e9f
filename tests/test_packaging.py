"""What leaves the house: the wheel, the image and the compose file. No container engine is needed; the image's steps are taken by hand."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from fetch_libraries import LIBRARIES
from ocpp_tw.ocpp import compiled
from ocpp_tw.read_settings import read
from ocpp_tw.settings import TABLE

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, in an environment that does not know of this checkout."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")}
    return subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=timeout, check=False)


# -- the image


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def copied() -> list[str]:
    """What the image is built from."""
    return [name for word, rest in stages()[0] if word == "COPY" for name in rest.split()[:-1]]


def test_the_image_is_what_is_left_when_the_builder_is_gone():
    build, final = stages()
    assert all(rest.startswith("python:${PYTHON}-slim") for stage in (build, final) for word, rest in stage if word == "FROM")
    assert [rest for word, rest in final if word == "COPY"] == ["--from=build /opt/ocpp_tw /opt/ocpp_tw"]
    assert "PIP_NO_CACHE_DIR=1" in dict(build)["ENV"]


def test_the_image_runs_the_gateway_as_nobody_in_particular():
    last = dict(stages()[-1])
    assert int(last["USER"].partition(":")[0]) > 0
    assert [word for word, _ in stages()[-1]].index("USER") > max(i for i, (word, _) in enumerate(stages()[-1]) if word == "RUN")
    assert json.loads(last["ENTRYPOINT"]) == ["twistd", "--pidfile=", "-n", "ocpp"]
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert last["EXPOSE"].split() == [str(read({}, {}).port.port), str(read({}, {}).http.port)]
    assert "PYTHONUNBUFFERED=1" in last["ENV"]
    assert "org.opencontainers.image.title" in last["LABEL"]


def test_the_image_is_of_this_version():
    from ocpp_tw import __version__

    assert ("ARG", f"VERSION={__version__}") in stages()[-1]


def test_only_what_is_copied_is_sent_to_the_builder():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what the image copies, installed into a fresh environment; the libraries are lent by this one."""
    base = tmp_path_factory.mktemp("image")
    (source := base / "src").mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        else:
            shutil.copy(ROOT / name, source)
    # What `pip wheel` does, but with the setuptools that is here instead of a fetched one.
    done = run(sys.executable, "-c", "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])", base, cwd=source)
    assert done.returncode == 0, done.stderr
    assert run(sys.executable, "-m", "venv", "--without-pip", base / "venv", cwd=base).returncode == 0
    python = base / "venv/bin/python"
    [site] = (base / "venv/lib").glob("python*/site-packages")
    [built] = base.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    done = run(*pip, built, cwd=base)
    assert done.returncode == 0, done.stderr
    # A path in a .pth is searched, but its own .pth files are not read: an editable install of this checkout stays out of it.
    (site / "lent.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}) + "\n")
    return base


def twistd(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    start = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
    return run(installed / "venv/bin/python", "-c", start, *arguments, cwd=installed)


def test_an_installed_gateway_is_known_to_twistd(installed):
    """As in the image: the list of plugins is made once and found good ever after, by a gateway that may not write it."""
    [plugins] = (installed / "venv/lib").glob("python*/site-packages/twisted/plugins")
    assert sorted(path.name for path in plugins.glob("*.py")) == ["ocpp_plugin.py"]  # an __init__.py would hide Twisted's own
    first = twistd(installed, "--help")
    assert re.search(r"^ {4}ocpp +\S", first.stdout, re.MULTILINE), first.stdout + first.stderr
    cache = plugins / "dropin.cache"
    made = cache.stat().st_mtime_ns
    second = twistd(installed, "--help")
    assert second.stdout == first.stdout
    assert cache.stat().st_mtime_ns == made
    assert "plugin cache" not in second.stdout + second.stderr


def test_an_installed_gateway_has_all_its_modules(installed):
    """Every module of the checkout is in the wheel, and imported from there."""
    modules = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "ocpp_tw").rglob("*.py"))
    names = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    script = "import importlib, json, sys; print(json.dumps([importlib.import_module(name).__file__ for name in sys.argv[1:]]))"
    done = run(installed / "venv/bin/python", "-c", script, *names, cwd=installed)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(installed / "venv")) for path in json.loads(done.stdout))
    [package] = (installed / "venv/lib").glob("python*/site-packages/ocpp_tw")
    assert (package / "py.typed").exists()


def test_an_installed_gateway_has_its_compiled_modules(installed):
    if not compiled.IS_USED:
        pytest.skip(f"this environment has none: {compiled.WHY_NOT}")
    done = run(
        installed / "venv/bin/python", "-c", "from ocpp_tw.ocpp import compiled; print(compiled.WHY_NOT, compiled.__file__)", cwd=installed
    )
    assert done.stdout.startswith(f" {installed / 'venv'}"), done.stdout + done.stderr


@pytest.mark.parametrize(
    "environment", [{"OCPP_TW_WITHOUT_COMPILED": "1"}, {"CC": "no-such-compiler"}], ids=["switched off", "no compiler"]
)
def test_a_wheel_is_built_without_compiled_modules_too(tmp_path, environment):
    (source := tmp_path / "src").mkdir()
    for name in copied():
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)
    for each in source.rglob("*.so"):
        each.unlink()
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    done = run(sys.executable, "-c", build, tmp_path, cwd=source, OCPP_TW_WITHOUT_PAGES="1", **environment)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "ocpp_tw/ocpp/compiled/__init__.py" in names and not [name for name in names if name.endswith((".so", ".c"))]
    assert wheel.name.endswith("py3-none-any.whl") or "CC" in environment


@pytest.mark.parametrize(
    "environment", [{"OCPP_TW_WITHOUT_COMPILED": "1"}, {"CC": "no-such-compiler"}], ids=["switched off", "no compiler"]
)
def test_a_build_that_leaves_compiled_modules_out_leaves_no_old_ones_behind(tmp_path, environment):
    for name in copied():
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    directory = Path("ocpp_tw/ocpp/compiled")
    old = [tmp_path / directory / "readings.old.so", tmp_path / "build/lib.any" / directory / "readings.old.so"]
    for each in old:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.write_bytes(b"of other sources")
    done = run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert not [each for each in old if each.exists()]


def test_an_installed_gateway_has_its_pages_with_their_libraries(installed):
    """In a checkout without them the build has fetched them."""
    [package] = (installed / "venv/lib").glob("python*/site-packages/ocpp_tw")
    pages = {path.name for path in (ROOT / "ocpp_tw/pages").iterdir() if path.is_file()}
    libraries = {name for library in LIBRARIES for name in library.files.values()}
    assert pages <= {path.name for path in (package / "pages").iterdir()}
    assert libraries <= {path.name for path in (package / "pages/vendor").iterdir()}


def test_an_installed_gateway_explains_its_options(installed):
    done = twistd(installed, "ocpp", "--help")
    assert done.returncode == 0, done.stderr
    for row in TABLE:
        assert row.option in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_an_installed_gateway_brings_its_command(installed):
    done = run(installed / "venv/bin/ocpp-tw", "--help", cwd=installed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_installed_gateway_tells_its_contract(installed):
    """With the meanings, which are read from the sources."""
    done = run(installed / "venv/bin/ocpp-tw", "schema", "start_transaction", cwd=installed)
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    assert schema["description"] == "A transaction began."
    assert schema["$defs"]["StartTransaction"]["properties"]["meter_start"]["description"].startswith("the meter's reading")


def test_the_wheel_has_the_package_and_the_plugin_of_twistd_and_nothing_else(installed):
    [built] = installed.glob("*.whl")
    names = {name for name in zipfile.ZipFile(built).namelist() if ".dist-info/" not in name}
    assert {name for name in names if not name.startswith("ocpp_tw/")} == {"twisted/plugins/ocpp_plugin.py"}


def test_an_installed_gateway_brings_its_fixtures_to_every_pytest(installed, tmp_path):
    """Without a word in any file of the backend's author; and with no warning, and next to nothing loaded, for whoever does not use them."""
    (tmp_path / "test_used.py").write_text(
        "def test_used(ocpp_charger):\n    assert ocpp_charger(ocpp='2.1').authorize('TAG') == 'Accepted'\n"
    )
    unused = (
        "import sys\n\ndef test_unused():\n    assert 'ocpp_tw.testing.plugin' in sys.modules and 'ocpp_tw.settings' not in sys.modules\n"
    )
    (tmp_path / "test_alone.py").write_text(unused)
    done = run(installed / "venv/bin/python", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
@pytest.mark.parametrize("said_by", ["option", "variable"])
def test_the_image_knows_whether_it_is_healthy(installed, tmp_path, status, healthy, said_by):
    """The very command of HEALTHCHECK, about a process that stands for the container's first: it asks where that one was told to listen."""
    _, _, command = dict(stages()[-1])["HEALTHCHECK"].partition("CMD ")
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        where = f":{server.server_port}"
        if status:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.socket.close()
        options, environment = (["--http", where], {}) if said_by == "option" else ([], {"HTTP_ADDR": where})
        first = subprocess.Popen([sys.executable, "-c", "input()", "-n", "ocpp", *options], stdin=subprocess.PIPE)
        try:
            program, *arguments = json.loads(command)
            assert arguments[-2:] == ["--pid", "1"]
            arguments[-1] = str(first.pid)
            done = run(installed / "venv/bin" / program, *arguments, cwd=tmp_path, http_proxy="http://127.0.0.1:9", **environment)
        finally:
            first.communicate(b"\n")
    assert (done.returncode == 0) == healthy, done.stderr
    assert paths == (["/healthz"] if status else [])


# -- the compose file


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_every_service_is_confined_and_comes_back(compose):
    assert set(compose["services"]) == {"gateway", "valkey"}
    for service in compose["services"].values():
        assert service["restart"] == "unless-stopped"
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)


def test_events_outlive_a_power_cut(compose):
    valkey = compose["services"]["valkey"]
    command = " ".join(valkey["command"])
    assert "--appendonly yes" in command
    assert "--appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    [volume] = valkey["volumes"]
    assert volume.endswith(":/data")
    assert volume.partition(":")[0] in compose["volumes"]
    assert "ports" not in valkey
    [spool] = compose["services"]["gateway"]["volumes"]
    assert spool.endswith(":/var/lib/ocpp_tw") and spool.partition(":")[0] in compose["volumes"]


def test_the_gateway_waits_for_its_valkey(compose):
    gateway = compose["services"]["gateway"]
    assert gateway["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert compose["services"]["valkey"]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert "healthcheck" not in gateway  # the image has its own


def test_operators_http_is_on_loopback_and_asks_for_a_token(compose):
    gateway = compose["services"]["gateway"]
    assert gateway["ports"] == ["10800:10800", "127.0.0.1:10801:10801"]
    assert gateway["environment"]["HTTP_TOKEN"].startswith("${HTTP_TOKEN:?")


def test_the_gateway_takes_these_settings(compose):
    environment = dict(compose["services"]["gateway"]["environment"])
    assert set(environment) <= {row.variable for row in TABLE}
    resolved = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in environment.items()} | {"HTTP_TOKEN": "x"}
    settings = read({}, resolved)
    assert settings.redis == "redis://valkey:6379"
    assert settings.http.port == 10801
    assert not settings.http.loopback
    assert float(compose["services"]["gateway"]["stop_grace_period"].rstrip("s")) > settings.drain


# -- make and CI


def test_make_explains_itself(tmp_path):
    done = run("make", "--no-print-directory", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    listed = re.findall(r"^  make (\w+) +\S", done.stdout, re.MULTILINE)
    assert {"run", "install", "test", "lint", "format", "coverage", "build", "clean", "help"} <= set(listed)


def test_make_says_when_python_is_too_old(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit\nexit 1\n')
    old.chmod(0o755)
    done = run("make", "install", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", cwd=ROOT)
    assert done.returncode != 0
    assert "needs Python 3.11 or later" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_ci_stops_at_the_first_failure():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert run("bash", "-n", script, cwd=ROOT).returncode == 0
