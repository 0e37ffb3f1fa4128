"""A backend that writes down every byte: what was in order arrives as it was sent, of what is refused not one byte does. The refused
stands behind good messages on the same connection, and more follows it in the same breath."""

from __future__ import annotations

import asyncio
import json

import pytest

from harness import frames, tokens
from harness.client import upgrade
from harness.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, decode
from harness.world import VECTORS, World
from test_vectors import sent_by

ORIGIN = {"Origin": "https://app.example.com"}
MASK = b"\x5a\xa5\x0f\xf0"
SIZE = 1024


def frame(opcode: int, payload: bytes = b"", **how) -> bytes:
    return frames.encode(opcode, payload, **{"mask": MASK} | how)


TEXT_FRAME = frame(TEXT, "größer".encode())
LARGEST = frame(BINARY, bytes(range(256)) * 4)
FIRST, SECOND, THIRD = frame(TEXT, b"in \xc3", fin=False), frame(CONTINUATION, b"", fin=False), frame(CONTINUATION, b"\xbc two")
ASKED = frame(PING, b"there?")
#: What a client may send, and how it arrives: a control frame does not wait for the message around it.
GOOD = TEXT_FRAME + LARGEST + FIRST + ASKED + SECOND + THIRD
ARRIVES = TEXT_FRAME + LARGEST + ASKED + FIRST + SECOND + THIRD
GOOD_UNITS = 4
BEHIND = frame(TEXT, b"behind") + frame(PING, b"behind")

#: What is refused, and the close code.
REFUSED = {
    "reserved bit 1": (frame(TEXT, b"x", rsv=4), 1002),
    "reserved bit 2": (frame(TEXT, b"x", rsv=2), 1002),
    "reserved bit 3": (frame(TEXT, b"x", rsv=1), 1002),
    "reserved bit of a continuation": (FIRST + frame(CONTINUATION, b"\xbc", rsv=4), 1002),
    "reserved bit of a ping": (frame(PING, b"x", rsv=1), 1002),
    "no mask": (frame(TEXT, b"x", mask=False), 1002),
    "no mask on the last frame": (FIRST + SECOND + frame(CONTINUATION, b"\xbc", mask=False), 1002),
    "a message inside a message": (FIRST + TEXT_FRAME, 1002),
    "not UTF-8": (frame(TEXT, b"good until here \xff and on"), 1007),
    "not UTF-8 in the last frame": (FIRST + SECOND + frame(CONTINUATION, b"\x28"), 1007),
    "not UTF-8 at its end": (FIRST + frame(CONTINUATION, b""), 1007),
    "too big": (frame(BINARY, bytes(SIZE + 1)), 1009),
    "too big in the last frame": (frame(BINARY, bytes(SIZE), fin=False) + frame(CONTINUATION, b"x"), 1009),
    "too many tiny frames": (frame(BINARY, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 1100, 1009),
    "close code not for the wire": (frame(CLOSE, close_payload(1006)), 1002),
    "close reason no UTF-8": (frame(CLOSE, close_payload(1000) + b"\xff"), 1007),
    "unfinished control frame": (frame(PING, b"x", fin=False), 1002),
    "control frame too long": (frame(PONG, bytes(126)), 1002),
}
REFUSED |= {
    f"ws-frames.json {case['id']}": (sent_by(case), case["close"])
    for case in json.loads((VECTORS / "http" / "ws-frames.json").read_text())["client_to_gateway"]
    if not case["deflate"] and case["close"] != "echo" and not {1000, 3000} & set(case["close"])
}


async def refused_message(world: World, change: dict, bad: bytes, codes: int | list[int], *, bytewise: bool = False, plain: bool = True,
                          good: bytes = GOOD, arrives: bytes = ARRIVES) -> None:
    world.backend.play(None)
    gateway = await world.gateway(change)
    client = await world.connect(gateway, plain=plain)
    await client.open(upgrade("/ws/echo", headers=ORIGIN))
    data = good + bad + BEHIND
    for part in [data[at : at + 1] for at in range(len(data))] if bytewise else [data]:
        client.write(part)
        if bytewise:
            await asyncio.sleep(0)
    closed = await client.close_frame()
    assert closed.code in ([codes] if isinstance(codes, int) else codes), closed
    client.reset()
    await world.backend.all_ended()
    (arrival,) = [arrival for arrival in world.backend.arrivals if arrival.raw]
    got = arrival.payload
    assert got.startswith(arrives), "what came before it has not arrived as it was sent"
    last = decode(got, len(arrives))
    assert last and last[0].opcode == CLOSE and last[1] == len(got), f"{got[len(arrives):]!r} arrived of what was refused"


@pytest.mark.parametrize("way", ["whole", "bytewise", "tls"])
@pytest.mark.parametrize("what", REFUSED)
def test_of_a_refused_message(world: World, what, way):
    bad, codes = REFUSED[what]
    change = {"routes": {"echo": {"limits": {"message_size": SIZE}}}}
    world.run(refused_message(world, change, bad, codes, bytewise=way == "bytewise", plain=way != "tls"))


@pytest.mark.parametrize("over", [frame(TEXT, b"over the rate"), frame(PING, b"over the rate"), FIRST + THIRD],
                         ids=["text", "ping", "fragments"])
def test_of_a_message_beyond_the_rate(world: World, over):
    change = {"routes": {"echo": {"limits": {"messages": f"{GOOD_UNITS}/h"}}}}
    world.run(refused_message(world, change, over, 4429))


@pytest.mark.parametrize("word", ['{"$sallyport":1}', '{"$sallyport":{"op":"dance"}}', '{"$sallyport":{"op":"refresh"}}'])
def test_of_a_word_to_the_gateway(world: World, word):
    change = {"routes": {"echo": {"control": "always"}}}
    world.run(refused_message(world, change, frame(TEXT, word.encode()), 4400))


UNDERSTOOD = frame(TEXT, b'{"type": "say", "text": ', fin=False) + frame(CONTINUATION, '"größer"}'.encode()) + frame(TEXT, b'{"type":"ask"}')


@pytest.mark.parametrize("way", ["whole", "bytewise"])
@pytest.mark.parametrize("bad, code", [
    (frame(TEXT, b'{"type": "say", "type": "shout"}'), 4400),
    (frame(TEXT, b'{"type": "say", "\\u0074ype": "shout"}'), 4400),
    (frame(TEXT, b'{"type": "say"', fin=False) + frame(CONTINUATION, b"} and more"), 4400),
    (frame(TEXT, b'{"type": "say", "Type": "shout"}'), 4400),
    (frame(TEXT, b'{"text": "no verb"}'), 4400),
    (frame(TEXT, b"no JSON"), 4400),
    (frame(BINARY, b'{"type": "say"}'), 1003),
], ids=["member twice", "member twice, spelled otherwise", "member twice, but for case", "more behind it", "no verb", "no JSON", "binary"])
def test_of_a_message_not_understood(world: World, bad, code, way):
    change = {"routes": {"echo": {"messages": {"protocol": "json", "operation": {"verb": "/type"}}}}}
    world.run(refused_message(world, change, bad, code, bytewise=way == "bytewise", good=UNDERSTOOD, arrives=UNDERSTOOD))


def test_what_is_not_finished_does_not_arrive(world: World):
    """The client goes in the middle of a message, and in the middle of a frame."""

    async def play():
        gateway = await world.gateway()
        for half in (FIRST, LARGEST[:-1], TEXT_FRAME[:3], FIRST + SECOND + THIRD[:-1]):
            world.backend.play(None)
            client = await world.connect(gateway, plain=True)
            await client.open(upgrade("/ws/echo", headers=ORIGIN))
            client.write(GOOD + half)
            for _ in range(3):
                await client.receive()  # an answer that nobody takes would end the connection before its close frame is read
            client.leave()
            await world.backend.all_ended()
            got = world.backend.arrivals[-1].payload
            assert got.startswith(ARRIVES)
            last = decode(got, len(ARRIVES))
            assert last and last[0].opcode == CLOSE and last[1] == len(got)

    world.run(play())


def head(*lines: str, path: str = "/chat", token: bool = True, usual: bool = True) -> bytes:
    """An upgrade with these lines beside the usual ones."""
    first = upgrade(path, headers={"Authorization": f"Bearer {tokens.mint()}"} if token else {}).decode().split("\r\n")[:-2]
    return "\r\n".join([*(first if usual else first[:1]), *lines, "", ""]).encode()


INNER = "GET /chat HTTP/1.1\r\nHost: gw.example.test\r\nX-Smuggled: 1\r\n\r\n"
REQUESTS = {
    "origin of another": lambda: head("Origin: https://evil.example"),
    "origin that begins like ours": lambda: head("Origin: https://app.example.com.evil.example"),
    "origin null": lambda: head("Origin: null"),
    "no token": lambda: head(token=False),
    "a cookie without an origin": lambda: head(f"Cookie: access_token={tokens.mint()}", token=False),
    "expired token": lambda: head(f"Authorization: Bearer {tokens.mint(exp='-60')}", token=False),
    "token of a stranger": lambda: head(f"Authorization: Bearer {tokens.mint('stranger')}", token=False),
    "two tokens": lambda: head(f"Authorization: Bearer {tokens.mint()}"),
    "no such path": lambda: head(path="/nowhere"),
    "a path that climbs": lambda: head(path="/public/../chat"),
    "two hosts": lambda: head("Host: other.example.test"),
    "a body by length": lambda: head(f"Content-Length: {len(INNER)}") + INNER.encode(),
    "a body in chunks": lambda: head("Transfer-Encoding: chunked") + b"0\r\n\r\n" + INNER.encode(),
    "length and chunks": lambda: head("Content-Length: 4", "Transfer-Encoding: chunked") + b"5c\r\n" + INNER.encode(),
    "length twice": lambda: head("Content-Length: 0", f"Content-Length: {len(INNER)}") + INNER.encode(),
    "chunks in disguise": lambda: head("Transfer-Encoding : chunked") + b"0\r\n\r\n" + INNER.encode(),
    "a folded line": lambda: head("X-Long: a\r\n b"),
    "a bare line feed": lambda: head("X-Long: a\nX-Smuggled: 1"),
    "a line feed for an end": lambda: head().replace(b"\r\n\r\n", b"\n\n") + INNER.encode(),
    "a null byte": lambda: head("X-Long: a\0b"),
    "no upgrade, another request behind it": lambda: INNER.encode() + head(),
    "old version": lambda: head().replace(b"Version: 13", b"Version: 8"),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_of_a_refused_request(world: World, what):
    """Neither it nor the frames behind it, and the neighbour's connection goes on."""

    async def play():
        world.backend.play(None)
        gateway = await world.gateway()
        neighbour = await world.connect(gateway)
        await neighbour.open(upgrade("/chat", headers={"Authorization": f"Bearer {tokens.mint()}"}))
        neighbour.write(TEXT_FRAME)
        assert await neighbour.receive() == "größer".encode()

        client = await world.connect(gateway, plain=True)
        client.write(REQUESTS[what]() + GOOD + head() + GOOD)
        answer = await client.rest()
        assert b" 101 " not in answer, answer[:200]

        neighbour.write(LARGEST)
        await neighbour.receive()
        (arrival,) = [arrival for arrival in world.backend.arrivals if arrival.raw]
        assert arrival.payload == TEXT_FRAME + LARGEST
        assert b"smuggled" not in arrival.head.lower()
        neighbour.reset()
        client.reset()
        await world.backend.all_ended()

    world.run(play())


def test_the_same_request_without_the_fault(world: World):
    async def play():
        world.backend.play(None)
        client = await world.connect(await world.gateway(), plain=True)
        client.write(head("Origin: https://app.example.com", "X-Long: a") + GOOD)
        assert (await client.read_answer()).status == 101
        for _ in range(3):
            await client.receive()
        await world.backend.bell.until(lambda: world.backend.arrivals[-1].payload == ARRIVES, "what was sent behind the head")
        client.reset()
        await world.backend.all_ended()

    world.run(play())
