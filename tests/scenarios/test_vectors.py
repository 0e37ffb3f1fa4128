"""The files of tests/vectors/http against the live gateway: every request gets the reaction that the file asks for, and of a refused
one not a byte reaches the backend, which records them all."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest

from harness import frames
from harness.client import Client, upgrade
from harness.frames import CLOSE
from harness.world import VECTORS, World

APP = {"Origin": "https://app.example.com"}
#: Requests that never end are cut soon.
CONFIG = {"limits": {"header_timeout": "1s"}}
SOURCE = "127.0.5.5"


def load(name: str) -> dict:
    return json.loads((VECTORS / "http" / name).read_text())


UPGRADES = load("upgrade-requests.json")["cases"]
LLHTTP = load("llhttp-requests.json")["cases"]
FRAMES = load("ws-frames.json")


def raw(case: dict) -> bytes:
    if "raw_repeat" in case:
        repeat = case["raw_repeat"]
        text = repeat["text"] * repeat["times"]
        return upgrade("/ws/echo?" + text, headers=APP) if repeat["where"] == "target" else upgrade(
            "/ws/echo", headers=APP | {"X-Long": text})
    data = base64.b64decode(case["raw_base64"])
    # The cases about credentials mean a route that wants one.
    return data.replace(b" /ws/echo", b" /chat", 1) if case["id"].startswith("cred-") else data


async def knock(world: World, data: bytes) -> Client:
    """Sends the bytes; the client then holds the answer, or None when the gateway ended the connection without one."""
    gateway = await world.gateway(CONFIG)
    client = await Client.connect(gateway.addresses["127.0.0.2"], source=SOURCE)
    client.write(data)
    try:
        await client.read_answer()
    except EOFError:
        client.answer = None
    return client


def refusal_of(case: dict) -> bool:
    return case["expect"] in ("reject", "same-as-admin-or-reject")


@pytest.fixture(scope="module")
def refused(world: World) -> dict:
    """The answers to all requests that must be refused, sent at once, and what the backend saw meanwhile."""
    cases = {case["id"]: raw(case) for case in UPGRADES if refusal_of(case)}
    cases |= {case["id"]: base64.b64decode(case["raw_base64"]) for case in LLHTTP}

    async def knock_all() -> list[Client]:
        world.backend.play(None)
        await world.gateway(CONFIG)
        clients = await asyncio.gather(*(knock(world, data) for data in cases.values()))
        for client in clients:
            client.writer.transport.abort()
        return clients

    clients = world.run(knock_all())
    answers = {name: client.answer for name, client in zip(cases, clients)}
    return {"answers": answers, "backend": [bytes(arrival.raw) for arrival in world.backend.arrivals if arrival.raw]}


@pytest.mark.parametrize("case", [case for case in UPGRADES if refusal_of(case)], ids=lambda case: case["id"])
def test_bad_upgrade(refused, case):
    answer = refused["answers"][case["id"]]
    if answer is not None:
        assert 400 <= answer.status < 600, case["why"]
        assert "close" in (answer.header("connection") or "")
        if "status" in case:
            assert answer.status in case["status"], case["why"]
        if "reply_header" in case and answer.status == 426:
            name, _, value = case["reply_header"].partition(": ")
            assert answer.header(name) == value
        assert answer.raw.count(b"HTTP/1.1 ") == 1, "one answer and no second"


@pytest.mark.parametrize("case", LLHTTP, ids=lambda case: case["id"])
def test_llhttp(refused, case):
    answer = refused["answers"][case["id"]]
    assert answer is None or 400 <= answer.status < 600, case["title"]


def test_the_backend_saw_nothing_of_them(refused):
    assert refused["backend"] == []


@pytest.mark.parametrize("case", [case for case in UPGRADES if not refusal_of(case)], ids=lambda case: case["id"])
def test_upgrade(world: World, case):
    world.backend.play(None)

    async def play():
        client = await knock(world, raw(case))
        opened = client.answer is not None and client.answer.status == 101
        seen = bytes(world.backend.arrivals[-1].raw) if opened else b""
        if opened:
            assert client.answer.header("sec-websocket-extensions") is None
            assert b"sec-websocket-extensions" not in seen.lower()
        elif "status" in case:
            assert client.answer.status in case["status"]
        if case["expect"] == "accept":
            assert opened, client.answer
            client.text("hello")
            assert await client.receive() == b"hello"
        elif case["expect"] == "strip-or-reject" and opened:
            arrival = world.backend.arrivals[-1]
            for forged in (b"admin", b"root", b"for=127.0.0.1", b"X_Auth"):
                assert forged not in seen
            assert arrival.header("x-forwarded-for") == SOURCE
        elif case["id"] == "pipelined-http":
            if opened:
                assert (await client.close_frame()).code == 1002
            for arrival in world.backend.arrivals:
                assert b"GET /admin" not in arrival.raw
        elif case["id"] == "early-frame" and opened:
            assert await client.receive() == b"hello"
            await client.pong(b"all")
            assert [payload for _, payload in world.backend.arrivals[-1].messages] == [b"hello"]
        client.reset()
        await world.backend.all_ended()

    world.run(play())


def sent_by(case: dict) -> bytes:
    return gzip.decompress(base64.b64decode(case["hex_gz_base64"])) if "hex_gz_base64" in case else bytes.fromhex(case["hex"])


@pytest.mark.parametrize("pieces", ["whole", "bytewise"])
@pytest.mark.parametrize("case", [case for case in FRAMES["client_to_gateway"] if not case["deflate"]], ids=lambda case: case["id"])
def test_frames_of_a_client(world: World, case, pieces):
    """Compression is not agreed to here; test_compression.py has the cases that need it."""
    world.backend.play(None)
    data = sent_by(case)

    async def play():
        gateway = await world.gateway(CONFIG)
        client = await Client.connect(gateway.addresses["127.0.0.2"])
        await client.open(upgrade("/ws/echo", headers=APP))
        for part in [data] if pieces == "whole" else [data[at : at + 1] for at in range(len(data))]:
            client.write(part)
            await asyncio.sleep(0)
        arrival = await world.backend.arrival()
        if (case["id"], pieces) == ("data-after-close", "bytewise"):
            # The connection may be over before the last byte is sent; what counts is what the backend got.
            await world.backend.bell.until(lambda: arrival.closed and arrival.ended, "the close at the backend")
            assert [frame.opcode for frame in arrival.frames] == [CLOSE]
            return client.reset()
        frame = await client.close_frame()
        assert frame.code in ([1000] if case["close"] == "echo" else case["close"]), f"{frame}: {case['why']}"
        await client.end()
        await world.backend.all_ended()
        arrived = arrival.payload
        assert arrival.closed, "the backend must see a close, too"
        if case["close"] == "echo":
            assert [payload for _, payload in arrival.messages] == [b"hello"]
        else:
            assert all(frame.opcode == CLOSE for frame in arrival.frames), arrival.frames
            assert len(arrival.frames) == 1 and frames.decode(arrived)[1] == len(arrived)

    world.run(play())


@pytest.mark.parametrize("case", FRAMES["backend_to_gateway"], ids=lambda case: case["id"])
def test_answers_of_a_backend(world: World, case):
    script = {"answers": case["reply"], "then_sends": case["after_hex"], "echoes": False}
    world.backend.play(script | ({"then": "reset"} if case["id"] == "tcp-reset" else {}))

    async def play():
        gateway = await world.gateway(CONFIG)
        client = await Client.connect(gateway.addresses["127.0.0.2"])
        client.write(upgrade("/ws/echo", headers=APP))
        answer = await client.read_answer()
        if case["id"] == "ok":
            assert answer.status == 101
            assert await client.receive() == b"hi"
            return client.reset()
        if case["id"] in ("masked-frame", "tcp-reset"):
            assert answer.status == 101
            world.backend.released.set()
            frame = await client.close_frame()
            assert frame.code in ([1002, 1011, 1014] if case["id"] == "masked-frame" else [1011, 1012, 1013, 1014])
            client.reset()
        else:
            assert answer.status == 502
        await world.backend.all_ended()
        assert world.backend.arrivals[-1].payload == b"" or case["id"] == "masked-frame"

    world.run(play())
