"""Mechanism x timing x transport x state of the credential: the good one is let in and reaches the backend, every other is refused before
it, and a live socket ends when its credential is revoked. The table is printed at the end."""

from __future__ import annotations

import json
import ssl

import pytest

from harness import frames
from harness.client import Client, upgrade
from harness.http2 import Http2Client, request
from harness.mechanisms import MECHANISMS, STATES, Credential, Makes, Mechanism
from harness.world import World

APP, EVIL = "https://app.example.com", "https://evil.test"
TIMINGS = ["handshake", "first_message", "out_of_band"]
TRANSPORTS = ["http/1.1", "h2"]
ROUTE = {"match": {"host": "gw.example.test"}, "upstream": {"url": "$main"}, "origins": [APP], "control": "always",
         "limits": {"connections_per_identity": 1000, "connections_per_ip": 1000}}


def path_of(mechanism: Mechanism, timing: str) -> str:
    return f"/matrix/{MECHANISMS.index(mechanism)}/{timing}"


def config(world: World) -> dict:
    routes, top = {}, {}
    for mechanism in MECHANISMS:
        top |= mechanism.top(world)
        for timing in TIMINGS:
            if timing in mechanism.never:
                continue
            path = path_of(mechanism, timing)
            routes[f"{mechanism.name} {timing}"] = ROUTE | {"match": {"host": "gw.example.test", "path": path}, "timing": timing,
                                                            "authenticate": mechanism.authenticate(world)}
    listen = [{"address": "127.0.0.1:0", "http2": True, "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}}]
    return {"listen": listen, "routes": routes} | top


class Attempt:
    """One socket over one transport."""

    @classmethod
    async def connect(cls, world: World, gateway, transport: str, credential: Credential) -> "Attempt":
        self = cls()
        address = gateway.addresses["127.0.0.1"]
        if transport == "h2":
            self.h2 = await Http2Client.connect(address, world.authority.file, certificate=credential.certificate)
        else:
            self.h2 = None
            self.client = await Client.connect(address, tls=world.tls_of(credential.certificate))
        return self

    async def opens(self, path: str, headers: list[tuple[str, str]]) -> int:
        """The status of the answer; 200 for an accepted socket over either transport."""
        if self.h2:
            self.stream = self.h2.open(request(path, more=[(name.lower(), value) for name, value in headers]))
            return await self.h2.answered(self.stream)
        self.client.write(upgrade(path, headers=headers))
        status = (await self.client.read_answer()).status
        return 200 if status == 101 else status

    async def posts(self, path: str, body: dict, headers: list[tuple[str, str]]) -> int:
        payload = json.dumps(body).encode()
        fields = [("Content-Type", "application/json"), ("Content-Length", str(len(payload))), *headers]
        if self.h2:
            stream = self.h2.open(request(path, method="POST", protocol=None, more=[(name.lower(), value) for name, value in fields]))
            self.h2.h2.send_data(stream.number, payload, end_stream=True)
            self.h2.flush()
            return await self.h2.answered(stream)
        lines = [f"POST {path} HTTP/1.1", "Host: gw.example.test", *(f"{name}: {value}" for name, value in fields), "", ""]
        self.client.write("\r\n".join(lines).encode() + payload)
        return (await self.client.read_answer()).status

    def says(self, text: str) -> None:
        if self.h2:
            self.h2.send(self.stream, frames.TEXT, text)
        else:
            self.client.text(text)

    async def frame(self) -> frames.Frame:
        while True:
            frame = await (self.h2.frame(self.stream) if self.h2 else self.client.frame())
            if frame.opcode in (frames.TEXT, frames.CLOSE):
                return frame

    async def notice(self, op: str) -> dict:
        frame = await self.frame()
        assert frame.opcode == frames.TEXT, frame
        notice = json.loads(frame.payload)["$sallyport"]
        assert notice["op"] == op, notice
        return notice

    async def leave(self) -> None:
        if self.h2:
            await self.h2.close()
        else:
            self.client.reset()


class Cell:
    def __init__(self, world: World, gateway, mechanism: Mechanism, timing: str, transport: str):
        self.world, self.gateway, self.mechanism, self.timing, self.transport = world, gateway, mechanism, timing, transport
        self.path = path_of(mechanism, timing)
        self.opened: list[Attempt] = []

    async def attempt(self, credential: Credential | None, origin: str = APP) -> tuple[str, Attempt]:
        """`in`, or how it was refused."""
        try:
            return await self.attempt_beyond_tls(credential, origin)
        except (ssl.SSLError, ConnectionError, EOFError):
            if credential and credential.certificate:
                return "TLS", self.opened[-1] if self.opened else Attempt()
            raise

    async def attempt_beyond_tls(self, credential: Credential | None, origin: str) -> tuple[str, Attempt]:
        shown = credential or Credential()
        origin_line = [("Origin", origin)]
        attempt = await Attempt.connect(self.world, self.gateway, self.transport, shown)
        self.opened.append(attempt)
        if self.timing == "handshake":
            status = await attempt.opens(self.path + shown.query, origin_line + shown.headers)
            if status != 200:
                return str(status), attempt
        elif self.timing == "first_message":
            status = await attempt.opens(self.path, origin_line)
            if status != 200:
                return str(status), attempt
            attempt.says(json.dumps({"$sallyport": {"op": "authenticate", "token": shown.token}} if credential else {"hello": 1}))
        else:
            status = await attempt.opens(self.path, [("Origin", APP)])
            assert status == 200, status
            code = (await attempt.notice("bind"))["code"]
            caller = await Attempt.connect(self.world, self.gateway, self.transport, shown)
            self.opened.append(caller)
            headers = [*origin_line, *(pair for pair in shown.headers if pair[0] != "Sec-WebSocket-Protocol")]
            status = await caller.posts("/.sallyport/bind" + shown.query, {"path": self.path, "code": code}, headers)
            if status != 204:
                return str(status), attempt
        frame = await attempt.frame()
        if frame.opcode == frames.CLOSE:
            return str(frame.code), attempt
        assert json.loads(frame.payload)["$sallyport"]["op"] == "ready", frame
        return "in", attempt

    async def play(self, state: str) -> str:
        mechanism, refused = self.mechanism, {"401", "4401"}
        before = len(self.world.backend.arrivals)
        credential = None if state == "absent" else await mechanism.credential(self.world, self.gateway, self.path, state)
        if isinstance(credential, Makes):
            return credential.why
        if state == "replayed" and mechanism.use == "bearer":
            return "a bearer credential may be shown again"
        if state == "wrong origin":
            verdict, _ = await self.attempt(credential, EVIL)
            assert verdict == "403", verdict
            assert len(self.world.backend.arrivals) == before
            return "403"
        verdict, attempt = await self.attempt(credential)
        if state in ("absent", "forged", "expired"):
            wanted = refused | ({"4400"} if state == "absent" else set()) | ({"TLS"} if credential and credential.certificate else set())
            assert verdict in wanted, verdict
            assert len(self.world.backend.arrivals) == before, "the backend was dialled"
            return verdict
        assert verdict == "in", verdict
        attempt.says("hello")
        frame = await attempt.frame()
        assert frame.payload == b"hello", frame
        assert (await self.world.backend.arrival()).header("x-sallyport-subject") == credential.subject
        if state == "good":
            return "in"
        before = len(self.world.backend.arrivals)
        if state == "revoked":
            await mechanism.revoke(self.world, self.gateway, credential)
            frame = await attempt.frame()
            assert frame.opcode == frames.CLOSE and frame.code == 4401, frame
        verdict, _ = await self.attempt(credential)
        assert verdict in refused, verdict
        assert len(self.world.backend.arrivals) == before, "the backend was dialled"
        return verdict + (", live 4401" if state == "revoked" else "")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.name)
def test_matrix(world: World, pytestconfig, mechanism, timing, transport):
    table = pytestconfig.__dict__.setdefault("_auth_matrix", [])
    if timing in mechanism.never:
        table.append((mechanism.name, timing, transport, dict.fromkeys(STATES, mechanism.never[timing])))
        return
    world.backend.play(None)

    async def scene():
        if not getattr(world, "matrix_started", False):
            for each in MECHANISMS:
                await each.start(world)
            world.matrix_started = True
        gateway = await world.gateway(config(world))
        cell = Cell(world, gateway, mechanism, timing, transport)
        found = {}
        try:
            for state in STATES:
                try:
                    found[state] = await cell.play(state)
                except AssertionError as trouble:
                    raise AssertionError(f"{state}: {trouble}") from trouble
        finally:
            for attempt in cell.opened:
                await attempt.leave()
        table.append((mechanism.name, timing, transport, found))

    world.run(scene())
