"""Clients that sign their handshake: the signers of examples/signed-requests and of the command line against the gateway, replays at every
instance of a store, keys that come and go while it runs."""

from __future__ import annotations

import base64
import email.utils
import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.parse

import pytest

from harness import secrets
from harness.client import Client, upgrade
from harness.gateway import BINARY, ROOT, Gateway
from harness.world import World

EXAMPLES = ROOT / "examples/signed-requests"
sys.path.insert(0, str(EXAMPLES))
import sign  # noqa: E402

HOST = "gw.example.test"
PATH = "/signed?room=7"
URL = f"wss://{HOST}{PATH}"


def route(**how) -> dict:
    return {"routes": {"signed": {
        "match": {"host": HOST, "path": "/signed"},
        "upstream": {"url": "$main"},
        "origins": ["https://app.example.com"],
        "authenticate": [{"signed_request": {"keys_file": "devices.json", "from": ["header", "query"], **how}}],
        "recheck": {"every": "60s"},
    }}}


def keys_new(folder: pathlib.Path, name: str, *words: str) -> dict:
    """A fresh key of the client, or a further one (`client/which`): its private half; the gateway's file has the other."""
    client, _, which = name.partition("/")
    name = client + which
    out = folder / f"{name}.jwks"
    subprocess.run([BINARY, "keys", "new", "--client", client, "--clients", "devices.json", "--out", str(out), *words], cwd=folder,
                   check=True, capture_output=True, timeout=20)
    [key] = json.loads(out.read_text())["keys"]
    secrets.remember(f"the key of {name}", key.get("k") or key["d"])
    return key


def sign_request(folder: pathlib.Path, name: str, url: str, *words: str) -> str:
    done = subprocess.run([BINARY, "token", "sign-request", "--key", f"{name}.jwks", url, *words], cwd=folder, check=True,
                          capture_output=True, text=True, timeout=20)
    return done.stdout.strip()


def fields(lines: list[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


def target(url: str) -> str:
    at = urllib.parse.urlsplit(url)
    return f"{at.path}?{at.query}"


async def fresh(world: World, change: dict | None = None, *, start: bool = True, **how) -> Gateway:
    gateway = await world.fresh_gateway({**route(**how), **(change or {})}, start=False)
    keys_new(gateway.folder, "sensor-17", "--algorithm", "HS256", "--label", "site=north")
    keys_new(gateway.folder, "robot")
    return await gateway.start() if start else gateway


async def opened(world: World, gateway: Gateway, request: bytes) -> Client:
    client = await world.connect(gateway)
    return await client.open(request)


async def refused(world: World, gateway: Gateway, request: bytes, status: int, reason: str):
    since = len(gateway.log)
    client = await world.connect(gateway)
    client.write(request)
    answer = await client.read_answer()
    assert answer.status == status
    await gateway.logged({"event": "connection.refused", "reason": reason}, since)
    client.reset()
    return answer


def play(world: World, coroutine) -> None:
    world.backend.play(None)
    world.run(coroutine)


@pytest.fixture(scope="module")
def signed(world: World):
    gateway = world.run(fresh(world))
    yield gateway
    assert world.run(gateway.stop()) == 0


@pytest.fixture(scope="module")
def c_signer(tmp_path_factory) -> pathlib.Path:
    compiler = shutil.which("cc") or shutil.which("clang-19") or shutil.which("gcc")
    assert compiler, "a C compiler is needed"
    program = tmp_path_factory.mktemp("signer") / "sign"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLES / "sign.c", "-lcrypto"], check=True, timeout=60)
    return program


def key_of(gateway: Gateway, name: str) -> dict:
    return json.loads((gateway.folder / f"{name}.jwks").read_text())["keys"][0]


def test_the_signer_in_c(world: World, signed: Gateway, c_signer: pathlib.Path):
    key = key_of(signed, "sensor-17")
    secret = base64.urlsafe_b64decode(key["k"] + "==").hex()
    lines = subprocess.run([c_signer, key["kid"], secret, HOST, "/signed", "room=7"], check=True, capture_output=True, text=True,
                           timeout=20).stdout.splitlines()

    async def run():
        client = await opened(world, signed, upgrade(PATH, headers=fields(lines)))
        client.text("hello")
        assert await client.receive() == b"hello"
        arrival = await world.backend.arrival()
        assert arrival.header("x-sallyport-subject") == "sensor-17"
        assert arrival.target == PATH
        assert arrival.header("signature") is None and arrival.header("signature-input") is None
        client.reset()

    play(world, run())


def test_the_signer_in_python(world: World, signed: Gateway):
    key = key_of(signed, "sensor-17")
    by_header = sign.as_headers(*sign.sign(key, URL))
    by_url = sign.as_url(URL, *sign.sign(key, URL))
    secrets.remember("a signature", by_header[1].split(":")[2].strip())
    secrets.remember("a signature in a URL", urllib.parse.parse_qs(urllib.parse.urlsplit(by_url).query)["sp-signature"][0])

    async def run():
        first = await opened(world, signed, upgrade(PATH, headers=fields(by_header)))
        second = await opened(world, signed, upgrade(target(by_url)))
        arrival = await world.backend.arrival()
        assert arrival.target == PATH
        assert b"sp-signature" not in arrival.head
        since = len(signed.log)
        answer = await refused(world, signed, upgrade(target(by_url)), 401, "credential.replayed")
        assert b"replay" not in answer.raw and b"used before" not in answer.raw
        assert not any("sp-signature" in json.dumps(line) for line in signed.log[since:])
        for client in (first, second):
            client.reset()

    play(world, run())


def test_a_clock_that_is_wrong_can_be_set(world: World, signed: Gateway, monkeypatch):
    """The refusal says what time it is; a client that heeds it gets in."""
    now = time.time()
    monkeypatch.setattr(sign.time, "time", lambda: now + 3600)
    lines = sign.as_headers(*sign.sign(key_of(signed, "sensor-17"), URL))

    async def run():
        answer = await refused(world, signed, upgrade(PATH, headers=fields(lines)), 401, "credential.invalid")
        told = email.utils.parsedate_to_datetime(answer.header("date")).timestamp()
        assert abs(told - now) < 30
        monkeypatch.setattr(sign.time, "time", lambda: told)
        again = sign.as_headers(*sign.sign(key_of(signed, "sensor-17"), URL))
        (await opened(world, signed, upgrade(PATH, headers=fields(again)))).reset()

    play(world, run())


def test_the_signer_of_the_command_line(world: World, signed: Gateway):
    origin = "https://app.example.com"

    async def run():
        lines = sign_request(signed.folder, "robot", URL).splitlines()
        (await opened(world, signed, upgrade(PATH, headers=fields(lines)))).reset()
        lines = sign_request(signed.folder, "robot", URL, "--origin", origin).splitlines()
        (await opened(world, signed, upgrade(PATH, headers=[("Origin", origin), *fields(lines)]))).reset()
        url = sign_request(signed.folder, "sensor-17", URL, "--url", "--expires", "30s")
        (await opened(world, signed, upgrade(target(url)))).reset()
        made = json.loads(sign_request(signed.folder, "robot", URL, "--json"))
        assert set(made) == {"signature_input", "signature", "url"}

        # What the browser adds must be signed, and what was signed must come.
        unsigned = sign_request(signed.folder, "robot", URL).splitlines()
        await refused(world, signed, upgrade(PATH, headers=[("Origin", origin), *fields(unsigned)]), 401, "credential.invalid")
        absent = sign_request(signed.folder, "robot", URL, "--origin", origin).splitlines()
        await refused(world, signed, upgrade(PATH, headers=fields(absent)), 401, "credential.invalid")
        elsewhere = sign_request(signed.folder, "robot", f"wss://{HOST}/chat").splitlines()
        await refused(world, signed, upgrade(PATH, headers=fields(elsewhere)), 401, "credential.invalid")
        await refused(world, signed, upgrade(PATH), 401, "credential.missing")

    play(world, run())


def test_a_replay_is_refused_by_every_instance(world: World):
    async def run():
        shared = {"store": {"sqlite": {"path": str(world.folder / "nonces.db")}}}
        here = await fresh(world, shared)
        there = await fresh(world, shared, start=False)
        for name in ("devices.json", "robot.jwks"):
            shutil.copy(here.folder / name, there.folder / name)
        await there.start()
        lines = fields(sign_request(here.folder, "robot", URL).splitlines())
        (await opened(world, here, upgrade(PATH, headers=lines))).reset()
        await refused(world, there, upgrade(PATH, headers=lines), 401, "credential.replayed")
        fresh_lines = fields(sign_request(here.folder, "robot", URL).splitlines())
        (await opened(world, there, upgrade(PATH, headers=fresh_lines))).reset()
        # It stays spent when the instance that took it is gone, and comes again.
        assert await here.stop() == 0
        await here.start()
        await refused(world, here, upgrade(PATH, headers=fresh_lines), 401, "credential.replayed")
        assert await here.stop() == 0 and await there.stop() == 0

    play(world, run())


def test_keys_come_and_go_while_it_runs(world: World):
    async def run():
        gateway = await fresh(world)
        lines = fields(sign_request(gateway.folder, "robot", URL).splitlines())
        robot = await opened(world, gateway, upgrade(PATH, headers=lines))
        lines = fields(sign_request(gateway.folder, "sensor-17", URL).splitlines())
        sensor = await opened(world, gateway, upgrade(PATH, headers=lines))

        # A further key of the same client is good as soon as the file was looked at, and the old one still is.
        keys_new(gateway.folder, "sensor-17/next", "--retire", "1h")
        deadline = time.monotonic() + 20
        while True:
            client = await world.connect(gateway)
            client.write(upgrade(PATH, headers=fields(sign_request(gateway.folder, "sensor-17next", URL).splitlines())))
            if (await client.read_answer()).status == 101:
                break
            assert time.monotonic() < deadline, "the new key was not taken up"
        client.reset()

        # Taken out of the file, a key's connections end, and nobody else's.
        clients = json.loads((gateway.folder / "devices.json").read_text())
        clients["clients"] = [one for one in clients["clients"] if one["name"] != "robot"]
        draft = gateway.folder / "draft.json"
        draft.write_text(json.dumps(clients))
        draft.chmod(0o600)
        began = time.monotonic()
        draft.rename(gateway.folder / "devices.json")
        assert (await robot.close_frame()).code == 4401
        print(f"withdrawn to closed: {time.monotonic() - began:.1f} s")
        await gateway.logged({"event": "connection.closed", "reason": "credential.revoked", "subject": "robot"})
        sensor.text("still here")
        assert await sensor.receive() == b"still here"
        await refused(world, gateway, upgrade(PATH, headers=fields(sign_request(gateway.folder, "robot", URL).splitlines())), 401,
                      "credential.invalid")
        sensor.reset()
        assert await gateway.stop() == 0

    play(world, run())
