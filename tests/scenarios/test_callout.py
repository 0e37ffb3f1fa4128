"""A service of the operator's own decides, and changes its mind: the gateway is asked to ask it at the handshake and from then on."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import time

import pytest

from harness import secrets
from harness.client import upgrade
from harness.waiting import Bell
from harness.world import World

ORIGIN = {"Origin": "https://app.example.com"}


class Service:
    """Knows sessions by their cookie, as a web framework does. `asked` is every question that it was asked."""

    def __init__(self):
        self.sessions: dict[str, dict] = {}
        self.asked: list[dict] = []
        self.down = False
        self.bell = Bell()
        self.key = secrets.remember("the callout key", os.urandom(32).hex())

    async def start(self) -> "Service":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/authorize"
        return self

    def login(self, subject: str, **more) -> dict:
        session = secrets.remember("a session", os.urandom(16).hex())
        self.sessions[session] = {"subject": subject, **more}
        return {"Cookie": f"sid={session}; theme=dark"}

    def _decide(self, question: dict) -> dict:
        known = self.sessions.get(question["request"]["cookies"].get("sid"))
        return {"allow": known} if known else {"refuse": {"reason": "invalid", "detail": "no such session"}}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                if self.down:
                    break
                self.asked.append(json.loads(body) | {"ours": self._is_signed(fields["x-sallyport-signature"], body)})
                self.bell.ring()
                answer = json.dumps(self._decide(self.asked[-1])).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _is_signed(self, header: str, body: bytes) -> bool:
        given = dict(part.split("=", 1) for part in header.split(","))
        expected = hmac.new(self.key.encode(), given["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, given["v1"]) and abs(time.time() - int(given["t"])) < 60


@pytest.fixture(scope="module")
def service(world: World) -> Service:
    return world.run(Service().start())


@pytest.fixture(scope="module")
def gateway(world: World, service: Service):
    callout = {"url": service.url, "credentials": ["cookie:sid", "query:key"], "shows": ["query:room"], "signing_key_file": "callout.key",
               "breaker": {"failures": 1000}}
    gateway = world.run(world.fresh_gateway({"routes": {"chat": {
        "authenticate": [{"callout": callout}], "recheck": {"every": "500ms", "tolerate": "1s"}}}}, start=False))
    (gateway.folder / "callout.key").write_text(service.key)
    (gateway.folder / "callout.key").chmod(0o600)
    world.run(gateway.start())
    yield gateway
    assert world.run(gateway.stop()) == 0


async def status_of(world: World, gateway, headers: dict, path: str = "/chat") -> int:
    client = await world.connect(gateway)
    client.write(upgrade(path, headers=headers))
    return (await client.read_answer()).status


def test_a_session_of_the_application_is_a_session_of_the_socket(world: World, service: Service, gateway):
    world.backend.play(None)
    cookie = service.login("alice", roles=["member"])

    async def play():
        client = await (await world.connect(gateway)).open(upgrade("/chat?room=7&key2=x", headers=cookie | ORIGIN))
        client.text("hello")
        assert await client.receive() == b"hello"
        arrival = await world.backend.arrival()
        assert arrival.header("x-sallyport-subject") == "alice"
        assert arrival.header("cookie") == "theme=dark"
        question = service.asked[-1]
        assert question["ours"] and question["event"] == "connect" and question["route"] == "chat"
        assert question["request"]["origin"] == "https://app.example.com" and question["request"]["query"] == {"room": "7"}
        assert set(question["request"]["cookies"]) == {"sid"} and question["request"]["headers"] == {}
        # Asked again, and let be; then logged out.
        await service.bell.until(lambda: service.asked[-1]["event"] == "recheck", "a recheck")
        assert service.asked[-1]["identity"]["subject"] == "alice" and service.asked[-1]["ours"]
        service.sessions.clear()
        closed = await client.close_frame()
        assert (closed.code, closed.reason) == (4401, "credential revoked")
        assert await status_of(world, gateway, cookie | ORIGIN) == 401

    world.run(play())


def test_another_subject_is_another_person(world: World, service: Service, gateway):
    world.backend.play(None)
    cookie = service.login("alice")

    async def play():
        client = await (await world.connect(gateway)).open(upgrade("/chat", headers=cookie | ORIGIN))
        next(iter(service.sessions.values()))["subject"] = "bob"
        closed = await client.close_frame()
        assert (closed.code, closed.reason) == (4401, "credential of another subject")

    world.run(play())
    service.sessions.clear()


def test_refused(world: World, service: Service, gateway):
    world.backend.play(None)
    cookie = service.login("alice")
    def connects() -> int:
        return sum(question["event"] == "connect" for question in service.asked)

    before = connects()

    async def play():
        assert await status_of(world, gateway, {}) == 401
        assert await status_of(world, gateway, cookie) == 403
        assert await status_of(world, gateway, cookie | {"Origin": "https://evil.test"}) == 403
        assert connects() == before  # nobody was asked about these
        assert await status_of(world, gateway, {"Cookie": "sid=x"} | ORIGIN) == 401
        assert await status_of(world, gateway, {}, "/chat?key=unknown") == 401

    world.run(play())
    assert not world.backend.arrivals


def test_a_service_that_is_gone_lets_nobody_in_and_keeps_nobody_for_long(world: World, service: Service, gateway):
    world.backend.play(None)
    cookie = service.login("alice")

    async def play():
        client = await (await world.connect(gateway)).open(upgrade("/chat", headers=cookie | ORIGIN))
        service.down = True
        try:
            assert await status_of(world, gateway, cookie | ORIGIN) == 503
            assert (await client.close_frame()).code == 1013
        finally:
            service.down = False
        assert await status_of(world, gateway, cookie | ORIGIN) == 101

    world.run(play())
