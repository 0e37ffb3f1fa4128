"""What only shows in numbers: nothing is left behind by refusals, memory stays bounded whoever does not read, and a revocation is
quick however many are connected. SALLYPORT_FULL=1 takes the numbers of the promises; the usual run smaller ones."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import sys
import time

import pytest

from harness import frames, tokens
from harness.client import Client, upgrade
from harness.gateway import Gateway
from harness.waiting import within
from harness.world import World

FULL = bool(os.environ.get("SALLYPORT_FULL"))
HARNESS = pathlib.Path(__file__).parent / "harness"
MIB = 1 << 20
APP = ("Origin", "https://app.example.com")
# Bytes of an idle connection: 13.0 KiB of the TLS one are OpenSSL's own.
IDLE_PLAIN, IDLE_TLS = 4_700, 19_500


async def run_child(script: str, *arguments) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(HARNESS / script), *map(str, arguments), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        limit=64 * MIB)


async def let_go(gateway: Gateway, before: list[str], seconds: float = 10) -> None:
    """Waits until no more sockets are open than before, nor more descriptors but for a few of the store, which opens its files when
    they are first needed. Closing one is no event that can be waited for."""

    def sockets(descriptors: list[str]) -> int:
        return sum(name.startswith("socket:") for name in descriptors)

    end = time.monotonic() + seconds
    while sockets(now := gateway.descriptors()) > sockets(before) or len(now) > len(before) + 4:
        assert time.monotonic() < end, f"open now: {now}, before: {before}"
        await asyncio.sleep(0.02)


async def flood(gateway: Gateway, count: int, requests: list[bytes]) -> dict[str, int]:
    child = await run_child("flood.py", *gateway.addresses["127.0.0.2"], count)
    out, _ = await within(child.communicate(json.dumps([request.decode() for request in requests]).encode()), "the flood", 300)
    return json.loads(out)


def test_refusals_leave_nothing_behind(world: World):
    count = 100_000 if FULL else 20_000
    good = tokens.mint()
    forged = good[:-8] + "AAAAAAAA"
    requests = [
        upgrade("/chat"),
        upgrade("/chat", headers=[("Authorization", f"Bearer {forged}")]),
        upgrade("/chat", headers=[("Authorization", "Bearer " + tokens.mint(exp="-60"))]),
        upgrade("/chat", headers=[("Authorization", f"Bearer {good}"), ("Origin", "https://evil.test")]),
        upgrade("/chat", headers=[("Authorization", "Bearer sp_" + "A" * 43)]),
        upgrade("/nowhere"),
        upgrade("/chat").replace(b"Version: 13", b"Version: 12"),
        upgrade("/chat").replace(b"GET", b"PUT"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".decode("latin-1").encode(),
    ]
    world.backend.play(None)

    async def play():
        gateway = await world.fresh_gateway()
        await flood(gateway, 2000, requests)  # whatever is allocated once is allocated now
        tls_client = await world.connect(gateway)
        await tls_client.open(upgrade("/chat", headers=[("Authorization", f"Bearer {good}")]))
        tls_client.reset()
        await world.backend.all_ended()
        await gateway.logged({"event": "connection.closed"})
        before = gateway.descriptors(), gateway.memory()
        statuses = await flood(gateway, count, requests)
        for _ in range(50):
            client = await world.connect(gateway)
            client.write(upgrade("/chat"))
            assert (await client.read_answer()).status == 401
            client.reset()
        assert sum(statuses.values()) == count
        assert not any(arrival.raw for arrival in world.backend.arrivals[1:])
        assert set(statuses) <= {"400", "401", "403", "404", "405", "426"}, statuses
        assert statuses["401"] > count / 3
        await let_go(gateway, before[0])
        grown = gateway.memory() - before[1]
        assert grown < 8 * MIB, f"{grown / MIB:.1f} MiB more after {count} refusals"
        alice = await world.connect(gateway)
        await alice.open(upgrade("/chat", headers=[("Authorization", f"Bearer {good}")]))
        alice.text("hello")
        assert await alice.receive() == b"hello"
        alice.reset()
        assert await gateway.stop() == 0

    world.run(play())


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "TLS"])
def test_a_client_that_does_not_read(world: World, plain):
    """The backend is slowed down instead of the gateway's memory filled, and the client is cut when its time is over."""
    world.backend.play({"echoes": False})

    async def play():
        gateway = await world.gateway({"limits": {"slow_consumer": "1s"}})
        since = len(gateway.log)
        token = [("Authorization", f"Bearer {tokens.mint(sub='slow')}")]
        clients, arrivals = [], []
        for _ in range(10):
            client = await world.connect(gateway, plain=plain, window=4096)
            await client.open(upgrade("/chat", headers=token))
            client.writer.transport.pause_reading()
            clients.append(client)
            arrivals.append(await world.backend.arrival())
        before, taken = gateway.memory(), [0] * len(clients)
        message = frames.encode(frames.TEXT, b"x" * 60000, mask=False)

        async def push(number: int) -> None:
            try:
                while taken[number] < 64 * MIB:
                    arrivals[number].writer.write(message)
                    await arrivals[number].writer.drain()
                    taken[number] += len(message)
            except ConnectionError:
                pass

        pushes = asyncio.gather(*map(push, range(len(clients))))
        peak = 0

        async def watch() -> None:
            nonlocal peak
            while not pushes.done():
                peak = max(peak, gateway.memory())
                await asyncio.sleep(0.01)

        await within(asyncio.gather(pushes, watch()), "the slow clients to be cut", 30)
        line = await gateway.logged({"event": "connection.closed", "reason": "peer.too_slow"}, since)
        assert line["duration_ms"] < 10_000
        assert max(taken) < 24 * MIB, f"{max(taken) / MIB:.1f} MiB were taken for a client that reads nothing"
        assert peak - before < 24 * MIB, f"memory grew by {(peak - before) / MIB:.1f} MiB for {len(clients)} clients"
        for client in clients:
            client.reset()
        await world.backend.all_ended()

    world.run(play())


def test_a_backend_that_does_not_read(world: World):
    world.backend.play({"echoes": False})

    async def play():
        gateway = await world.gateway({"limits": {"slow_consumer": "1s"}})
        client = await world.connect(gateway, plain=True)
        await client.open(upgrade("/chat", headers=[("Authorization", f"Bearer {tokens.mint()}")]))
        arrival = await world.backend.arrival()
        await world.backend.bell.until(lambda: arrival.opened, "the backend to open")
        arrival.reading.clear()
        before, sent, peak = gateway.memory(), 0, 0
        message = frames.encode(frames.BINARY, b"x" * 60000)
        closed = asyncio.ensure_future(client.close_frame(20))

        async def push() -> None:
            nonlocal sent, peak
            while True:
                client.write(message)
                await client.writer.drain()
                sent, peak = sent + len(message), max(peak, gateway.memory())

        pushing = asyncio.ensure_future(push())
        assert (await closed).code == 1014
        pushing.cancel()
        assert sent < 24 * MIB, f"{sent / MIB:.1f} MiB were taken for a backend that reads nothing"
        assert peak - before < 8 * MIB, f"memory grew by {(peak - before) / MIB:.1f} MiB"
        arrival.reading.set()
        client.reset()
        await world.backend.all_ended()

    world.run(play())


def test_backpressure_loses_nothing(world: World):
    """A slow reader that does read gets everything, in order."""
    world.backend.play({"echoes": False})

    async def play():
        gateway = await world.gateway()
        client = await world.connect(gateway, window=4096)
        await client.open(upgrade("/chat", headers=[("Authorization", f"Bearer {tokens.mint()}")]))
        arrival = await world.backend.arrival()
        await world.backend.bell.until(lambda: arrival.opened, "the backend to open")
        count = 300

        async def push() -> None:
            for number in range(count):
                arrival.send(frames.TEXT, f"{number:06}".ljust(50000, "."))
                await arrival.writer.drain()

        async def pull() -> None:
            for number in range(count):
                message = await client.receive(f"message {number}", 20)
                assert message.startswith(b"%06d" % number) and len(message) == 50000

        await asyncio.gather(push(), pull())
        client.reset()
        await world.backend.all_ended()

    world.run(play())


@pytest.mark.parametrize("plain, most", [(True, IDLE_PLAIN), (False, IDLE_TLS)], ids=["plain", "TLS"])
def test_an_idle_connection_is_small(world: World, plain, most):
    """Resident memory of the gateway for one connection that has said a word and waits, its identity, its token and its places in every
    table included. The bound is what it takes, and a little more."""
    count = 3_000 if FULL else 600
    world.backend.play(None)

    async def play():
        gateway = await world.fresh_gateway()

        async def crowd(name: str, size: int) -> list[Client]:
            clients = []
            for number in range(size):
                client = await world.connect(gateway, plain=plain)
                token = tokens.mint(sub=f"{name}-{number}", jti=f"token-of-{name}-{number}")
                await client.open(upgrade("/chat", headers=[("Authorization", f"Bearer {token}"), APP]))
                client.text("hello")
                assert await client.receive() == b"hello"
                clients.append(client)
            return clients

        warm = await crowd("warm", 100)  # whatever is allocated once is allocated now
        before = gateway.memory()
        clients = await crowd("idle", count)
        each = (gateway.memory() - before) / count
        print(f"{each:.0f} bytes")
        assert each < most, f"{each:.0f} bytes per idle connection"
        for client in warm + clients:
            client.reset()
        await world.backend.all_ended()
        assert await gateway.stop() == 0

    world.run(play())


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def test_revocation_is_quick(world: World):
    """99 of 100 close frames arrive within 100 ms of the call when one subject of many is revoked, and within a second when nearly
    all are at once; the backend and the clients of this test have to share the machine with the gateway for that."""
    count = 9_000 if FULL else 1_000
    singles = 100
    world.backend.play(None)

    async def play():
        gateway = await world.fresh_gateway()
        requests = []
        for number in range(count):
            claims = tokens.claims(sub=f"subject-{number}", sid="everybody")
            token = tokens.sign("ed25519", None, claims)
            requests.append(upgrade("/chat", headers=[("Authorization", f"Bearer {token}")]).decode())
        crowd = await run_child("crowd.py", *gateway.addresses["127.0.0.2"])
        crowd.stdin.write(json.dumps(requests).encode() + b"\n")
        assert await within(crowd.stdout.readline(), "everybody to be connected", 120) == b"open\n"

        async def revoke(body: dict, ends: int) -> list[float]:
            crowd.stdin.write(json.dumps({"ends": ends}).encode() + b"\n")
            began = time.time()
            answer = await gateway.admin("POST", "/v1/revocations", body)
            assert answer.status < 300 and answer.json["closed"] == ends, answer.body
            seen = json.loads(await within(crowd.stdout.readline(), "the ends", 60))
            assert len(seen["arrivals"]) == ends and set(seen["codes"]) == {4401}
            return [arrival - began for arrival in seen["arrivals"]]

        one_by_one = [each for number in range(singles) for each in await revoke({"sub": f"subject-{number}"}, 1)]
        at_once = await revoke({"sid": "everybody"}, count - singles)
        figures = {name: f"p50 {percentile(times, 0.5) * 1000:.1f} ms, p99 {percentile(times, 0.99) * 1000:.1f} ms"
                   for name, times in (("one by one", one_by_one), (f"{count - singles} at once", at_once))}
        print(figures)
        assert percentile(one_by_one, 0.99) < 0.1, figures
        assert percentile(at_once, 0.99) < 1.0, figures
        crowd.stdin.close()
        await crowd.wait()
        await world.backend.all_ended()
        assert await gateway.stop() == 0

    world.run(play())


def test_nobody_slips_through_a_revocation(world: World):
    """Handshakes and a revocation of their subject at the same time: in the end nobody of that subject is connected."""
    world.backend.play(None)

    async def play():
        gateway = await world.fresh_gateway()
        for round_ in range(8):
            subject = f"subject-{round_}"
            request = upgrade("/chat", headers=[("Authorization", f"Bearer {tokens.mint(sub=subject)}")])

            async def attempt() -> str:
                client = await world.connect(gateway, plain=True)
                client.write(request)
                answer = await client.read_answer()
                if answer.status == 101:
                    frame = await client.close_frame()
                    client.reset()
                    return str(frame.code)
                return str(answer.status)

            attempts = [asyncio.ensure_future(attempt()) for _ in range(40)]
            await asyncio.sleep(0)
            assert (await gateway.admin("POST", "/v1/revocations", {"sub": subject})).status < 300
            assert set(await asyncio.gather(*attempts)) <= {"401", "4401"}
        await world.backend.all_ended()
        assert await gateway.stop() == 0

    world.run(play())


def test_a_crowd_that_never_says_who_it_is(world: World):
    """They are accepted, because their route asks for the credential in the first message, and say nothing. Who says it at once is let in
    as ever, and what they cost is bounded."""
    count, at_once, places = (50_000, 5_000, 2_000) if FULL else (6_000, 1_500, 500)
    config = {"routes": {"chat": {"timing": "first_message"}}, "limits": {"waiting": places, "waiting_per_ip": 100, "pending": 10_000}}
    world.backend.play(None)

    async def play():
        gateway = await world.fresh_gateway(config)
        warm = await world.connect(gateway, plain=True)
        await warm.open(upgrade("/chat", headers=[APP, ("Sec-WebSocket-Protocol", "sallyport.v1")]))
        before, descriptors = gateway.memory(), gateway.descriptors()
        child = await run_child("silent.py", *gateway.addresses["127.0.0.2"], count, at_once)
        request = upgrade("/chat", headers=[APP, ("Sec-WebSocket-Protocol", "sallyport.v1")]).decode()
        crowd = asyncio.ensure_future(child.communicate(json.dumps(request).encode()))
        waits, most = [], before
        while not crowd.done():
            began = time.monotonic()
            good = await world.connect(gateway, plain=True, source="127.0.9.9")
            await good.open(upgrade("/chat", headers=[APP, ("Sec-WebSocket-Protocol", "sallyport.v1")]), 30)
            good.listens = True
            good.text(json.dumps({"$sallyport": {"op": "authenticate", "token": tokens.mint()}}))
            await good.notice("ready", 30)
            good.text("hello")
            assert await good.receive() == b"hello"
            waits.append(time.monotonic() - began)
            most = max(most, gateway.memory())
            good.reset()
        ends = json.loads(crowd.result()[0])
        assert sum(ends.values()) == count
        assert ends.get("1013", 0) >= (count - at_once) * 0.9, ends
        assert len(waits) >= 5
        assert most - before < places * 24 * 1024 + 48 * MIB, f"{(most - before) / MIB:.0f} MiB more"
        print(f"\n{count} silent sockets ended {ends}; {len(waits)} good clients were let in within "
              f"{sorted(waits)[len(waits) // 2] * 1000:.0f} ms (median), {max(waits) * 1000:.0f} ms (worst); {(most - before) / MIB:.0f} MiB more at most")
        warm.reset()
        await let_go(gateway, descriptors)
        assert await gateway.stop() == 0

    world.run(play())
