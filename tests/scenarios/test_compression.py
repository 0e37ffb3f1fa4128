"""permessage-deflate with clients and backends that others wrote: what is compressed on one side need not be on the other, and nobody
gets a byte that was not judged."""

from __future__ import annotations

import json
import zlib

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from harness import chromium, frames
from harness.client import Client, upgrade
from harness.waiting import within
from harness.world import World
import test_clients
from test_clients import bearer, connect, node_ws  # noqa: F401  (a fixture)
from test_vectors import APP, FRAMES, sent_by

TEXT = json.dumps([{"verb": "chat.send", "room": f"room {n}", "text": "€uro and cent"} for n in range(60)], ensure_ascii=False)
MESSAGES = ["hello", "", TEXT, TEXT, "x" * 20_000, bytes(range(256)) * 300, b"", TEXT * 3]


class Echo:
    """A backend by Python's websockets. It writes down what every connection agreed to and said."""

    def __init__(self, extensions=None, compression: str | None = None):
        self.how = {"extensions": extensions, "compression": compression, "max_size": None}
        self.agreed: list[str] = []
        self.messages: list = []

    async def _serve(self, socket):
        self.agreed += [repr(extension) for extension in socket.extensions] or ["none"]
        async for message in socket:
            self.messages.append(message)
            await socket.send(message)

    async def __aenter__(self) -> "Echo":
        self.server = await websockets.serve(self._serve, "127.0.0.1", 0, **self.how)
        self.url = "ws://127.0.0.1:%d/" % self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()


def route(echo: Echo, **compression) -> dict:
    limits = {"message_size": "1MiB", "backend_message_size": "1MiB", "messages": "100000/s", "connections_per_identity": 1000,
              "connections_per_ip": 1000}
    changed = {"upstream": {"url": echo.url}, "compression": compression, "limits": limits}
    return {"routes": {"chat": changed, "echo": changed}}


def is_deflate(extensions) -> bool:
    return "deflate" in repr(extensions).lower()


@pytest.mark.parametrize("takeover", [False, True], ids=["alone", "takeover"])
@pytest.mark.parametrize("backend", ["agrees", "does not know it", "is not asked"])
@pytest.mark.parametrize("client", ["offers", "does not offer"])
def test_each_side_by_itself(world: World, client, backend, takeover):
    async def play():
        async with Echo(compression="deflate" if backend == "agrees" else None) as echo:
            gateway = await world.fresh_gateway(
                route(echo, client=True, backend=backend != "is not asked", context_takeover=takeover, max_ratio=1032))
            async with connect(world, gateway, bearer(), compression="deflate" if client == "offers" else None) as socket:
                assert is_deflate(socket.extensions) == (client == "offers")
                assert is_deflate(echo.agreed) == (backend == "agrees")
                for message in MESSAGES:
                    await socket.send(message)
                for message in MESSAGES:
                    assert await within(socket.recv(), "an echo") == message
                await socket.send([TEXT[:100], TEXT[100:101], TEXT[101:]])
                assert await within(socket.recv(), "an echo") == TEXT
            assert echo.messages == MESSAGES + [TEXT]
            assert await gateway.stop() == 0

    world.run(play())


WINDOWS = [
    ({"client_max_window_bits": True, "server_max_window_bits": 9}, {}),
    ({"client_max_window_bits": 9, "server_no_context_takeover": True}, {"client_max_window_bits": 10}),
    ({"client_no_context_takeover": True}, {"server_no_context_takeover": True, "client_no_context_takeover": True}),
    ({}, {"server_max_window_bits": 9}),
]


@pytest.mark.parametrize("takeover", [False, True], ids=["alone", "takeover"])
@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("client, backend", WINDOWS, ids=range(len(WINDOWS)))
def test_windows(world: World, client, backend, bits, takeover):
    """Whatever each asks for, and however different the two sides are."""
    async def play():
        async with Echo(extensions=[ServerPerMessageDeflateFactory(**backend)]) as echo:
            gateway = await world.fresh_gateway(
                route(echo, client=True, backend=True, context_takeover=takeover, window_bits=bits, max_ratio=1032))
            offer = [ClientPerMessageDeflateFactory(**client)]
            async with connect(world, gateway, bearer(), compression=None, extensions=offer) as socket:
                assert is_deflate(socket.extensions)
                for message in MESSAGES * 2:
                    await socket.send(message)
                    assert await within(socket.recv(), "an echo") == message
            assert await gateway.stop() == 0

    world.run(play())


def test_passed_through(world: World):
    async def play():
        async with Echo(compression="deflate") as echo:
            change = route(echo, dangerous_pass_through=True)
            change["routes"]["chat"]["control"] = change["routes"]["echo"]["control"] = "never"
            change["acknowledge"] = ["dangerous_anonymous", "dangerous_pass_through"]
            gateway = await world.fresh_gateway(change)
            offer = [ClientPerMessageDeflateFactory(client_max_window_bits=11, server_max_window_bits=10)]
            async with connect(world, gateway, bearer(), compression=None, extensions=offer) as socket:
                assert repr(socket.extensions[0]).count("=10") == 1 and repr(socket.extensions[0]).count("=11") == 1
                assert "=10" in echo.agreed[0] and "=11" in echo.agreed[0]
                for message in MESSAGES * 2:
                    await socket.send(message)
                    assert await within(socket.recv(), "an echo") == message
            async with connect(world, gateway, bearer(), compression=None) as socket:
                assert not socket.extensions and echo.agreed[-1] == "none"
            assert await gateway.stop() == 0

    world.run(play())


@pytest.mark.parametrize("takeover", [False, True], ids=["alone", "takeover"])
def test_node_ws(world: World, node_ws, takeover):  # noqa: F811
    async def play():
        async with Echo() as echo:
            gateway = await world.fresh_gateway(route(echo, client=True, context_takeover=takeover, max_ratio=1032))
            texts = [message for message in MESSAGES if isinstance(message, str)]
            saw = await test_clients.TestNodeWs().tell(world, node_ws, gateway, send=texts, close=[3001, "bye"], headers=bearer())
            assert saw["extensions"] == "permessage-deflate"
            assert saw["messages"] == texts == echo.messages
            assert await gateway.stop() == 0

    world.run(play())


@pytest.mark.parametrize("takeover", [False, True], ids=["alone", "takeover"])
def test_chromium(world: World, takeover, tmp_path):
    chromium.must_be_here()
    texts = [message for message in MESSAGES if isinstance(message, str)]

    async def play():
        async with Echo(compression="deflate") as echo:
            change = route(echo, client=True, backend=True, context_takeover=takeover, max_ratio=1032)
            change["routes"]["echo"]["origins"] = ["http://app.example.com"]
            gateway = await world.fresh_gateway(change)
            address, port = gateway.addresses["127.0.0.2"]
            script = """((url, sent) => new Promise((done) => {
              const socket = new WebSocket(url), got = [];
              socket.onopen = () => sent.forEach((text) => socket.send(text));
              socket.onmessage = (event) => { got.push(event.data); if (got.length === sent.length) done([socket.extensions, got]); };
              socket.onclose = (event) => done([`closed with ${event.code}`, got]);
            }))(%s, %s)""" % (json.dumps(f"ws://gw.example.test:{port}/ws/echo"), json.dumps(texts))
            extensions, got = await chromium.result_of(script, origin="http://app.example.com", profile=tmp_path,
                                                       hosts={"gw.example.test": address, "app.example.com": "127.0.0.1"})
            assert got == texts == echo.messages
            assert extensions.startswith("permessage-deflate")
            assert await gateway.stop() == 0

    world.run(play())


OFFER = APP | {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}


async def open_raw(gateway) -> Client:
    client = await Client.connect(gateway.addresses["127.0.0.2"])
    client.write(upgrade("/ws/echo", headers=OFFER))
    assert (await client.read_answer()).status == 101
    assert "permessage-deflate" in client.answer.header("sec-websocket-extensions")
    return client


@pytest.mark.parametrize("backend_too", [False, True], ids=["plain backend", "deflating backend"])
@pytest.mark.parametrize("case", [case for case in FRAMES["client_to_gateway"] if case["deflate"]], ids=lambda case: case["id"])
def test_frames_of_a_client(world: World, case, backend_too):
    async def play():
        async with Echo(compression="deflate" if backend_too else None) as echo:
            gateway = await world.fresh_gateway(route(echo, client=True, backend=backend_too))
            client = await open_raw(gateway)
            client.write(sent_by(case))
            if case["close"] == "echo":
                while (frame := await client_frame(client)).opcode != frames.CLOSE:
                    pass
                assert frame.code == 1000 and echo.messages == ["hello"]
            else:
                frame = await client_frame(client)
                assert frame.opcode == frames.CLOSE and frame.code in case["close"], f"{frame}: {case['why']}"
                assert echo.messages == []
            client.reset()
            assert await gateway.stop() == 0

    world.run(play())


async def client_frame(client: Client) -> frames.Frame:
    """The next frame, which may be compressed."""
    while not (found := frames.decode(client._buffer)):
        await client._more("a frame")
    frame, end = found
    del client._buffer[:end]
    return frame


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_what_a_backend_reads_is_what_was_judged(world: World):
    """Decompressors differ on what follows a final block: Python's stops there. The backend must get all that the gateway read."""
    final = zlib.compressobj(9, zlib.DEFLATED, -15)
    hidden = final.compress(b'{"verb":"harmless"}') + final.flush(zlib.Z_FINISH) + deflated(b" and more")

    async def play():
        async with Echo(compression="deflate") as echo:
            gateway = await world.fresh_gateway(route(echo, client=True, backend=True))
            client = await open_raw(gateway)
            client.send(frames.TEXT, hidden, rsv=4)
            await client_frame(client)
            assert echo.messages == ['{"verb":"harmless"} and more']
            client.reset()
            assert await gateway.stop() == 0

    world.run(play())


@pytest.mark.parametrize("offer, status", [("permessage-deflate; client_max_window_bits=", 400), ("permessage-deflate;;", 400),
                                           ("permessage-deflate; server_max_window_bits=8", 101), ("x; y, z", 101)])
def test_offers(world: World, offer, status):
    """What breaks the grammar is refused, what cannot be served is declined."""
    async def play():
        async with Echo() as echo:
            gateway = await world.fresh_gateway(route(echo, client=True))
            client = await Client.connect(gateway.addresses["127.0.0.2"])
            client.write(upgrade("/ws/echo", headers=APP | {"Sec-WebSocket-Extensions": offer}))
            answer = await client.read_answer()
            assert answer.status == status and answer.header("sec-websocket-extensions") is None
            client.reset()
            assert await gateway.stop() == 0

    world.run(play())


@pytest.mark.parametrize("answer", ["permessage-deflate", "permessage-deflate; server_no_context_takeover; client_max_window_bits=7",
                                    "x", "permessage-deflate; server_no_context_takeover, x"])
def test_answers(world: World, answer):
    """A backend that agrees to what it was not offered is not spoken to."""
    line = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {{ACCEPT}}\r\n"
    world.backend.play({"answers": line + f"Sec-WebSocket-Extensions: {answer}\r\n\r\n"})

    async def play():
        gateway = await world.gateway({"routes": {"echo": {"compression": {"backend": True}}}})
        client = await Client.connect(gateway.addresses["127.0.0.2"])
        client.write(upgrade("/ws/echo", headers=APP))
        assert (await client.read_answer()).status == 502
        arrival = await world.backend.arrival()
        assert "server_no_context_takeover" in arrival.header("sec-websocket-extensions")
        client.reset()
        await world.backend.all_ended()

    world.run(play())
