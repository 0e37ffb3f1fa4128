"""The PROXY protocol: whose address counts, where TLS begins, and who may say so."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct

import pytest

from harness import tokens
from harness.client import Client, upgrade
from harness.world import World

PROXY, STRANGER = "127.0.0.9", "127.0.0.7"
PLAIN, TLS = "127.0.0.2", "127.0.0.1"
CONFIG = {
    "listen": [
        {"address": f"{TLS}:0", "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}, "proxy_protocol": {"trusted": [PROXY]}},
        {"address": f"{PLAIN}:0", "proxy_protocol": {"trusted": [PROXY]}}],
    "limits": {"header_timeout": "1s", "pending_per_ip": 50},
    "routes": {"chat": {"limits": {"connections_per_ip": 2}, "addresses": {"deny": ["198.51.100.0/24"]}}},
}


def version_1(client: str = "203.0.113.7", port: int = 4711) -> bytes:
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {'::1' if ':' in client else '10.0.0.1'} {port} 443\r\n".encode()


def version_2(client: str = "203.0.113.7", *, command: int = 1, more: bytes = b"") -> bytes:
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    other = "::1" if ":" in client else "10.0.0.1"
    body = socket.inet_pton(family, client) + socket.inet_pton(family, other) + struct.pack(">HH", 4711, 443) + more
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, 0x21 if ":" in client else 0x11]) + struct.pack(">H", len(body)) + body


def request(**claims) -> bytes:
    return upgrade("/chat", headers={"Authorization": f"Bearer {tokens.mint(**claims)}"})


async def opens(world: World, header: bytes, *, pieces: int = 4096, source: str = PROXY) -> Client:
    gateway = await world.gateway(CONFIG)
    client = await Client.connect(gateway.addresses[PLAIN], source=source)
    everything = header + request()
    for at in range(0, len(everything), pieces):
        client.write(everything[at : at + pieces])
        await asyncio.sleep(0)
    return client


HEADERS = {
    "version 1": (version_1(), "203.0.113.7"),
    "version 1, IPv6": (version_1("2001:db8::7"), "2001:db8::7"),
    "version 1, UNKNOWN": (b"PROXY UNKNOWN\r\n", PROXY),
    "version 2": (version_2(), "203.0.113.7"),
    "version 2, IPv6": (version_2("2001:db8::7"), "2001:db8::7"),
    "version 2, IPv4-mapped": (version_2("::ffff:203.0.113.7"), "203.0.113.7"),
    "version 2, values behind": (version_2(more=b"\x04\0\x05hello" + b"\xea\0\x03vpc"), "203.0.113.7"),
    "version 2, LOCAL": (version_2(command=0), PROXY),
}


@pytest.mark.parametrize("what", HEADERS)
def test_whose_address_counts(world: World, what):
    header, peer = HEADERS[what]

    async def play():
        world.backend.play(None)
        gateway = await world.gateway(CONFIG)
        for pieces in (4096, 7):
            since = len(gateway.log)
            client = await opens(world, header, pieces=pieces)
            assert (await client.read_answer()).status == 101
            client.text("hello")
            assert await client.receive() == b"hello"
            await gateway.logged({"event": "connection.accepted", "peer": peer}, since)
            assert (await world.backend.arrival(-1)).header("x-forwarded-for") == peer
            client.close()
            await client.close_frame()
            await gateway.logged({"event": "connection.closed"}, since)
            client.leave()

    world.run(play())


def test_tls_behind_it(world: World):
    def blocking(address, header: bytes, text: bytes) -> bytes:
        with socket.create_connection(address, timeout=20, source_address=(PROXY, 0)) as raw:
            raw.sendall(header)
            with world.client_tls.wrap_socket(raw, server_hostname="gw.example.test") as tls:
                tls.sendall(text)
                return tls.recv(4096)

    async def play():
        gateway = await world.gateway(CONFIG)
        for header in (version_1(), version_2()):
            since = len(gateway.log)
            answer = await asyncio.to_thread(blocking, gateway.addresses[TLS], header, request())
            assert answer.startswith(b"HTTP/1.1 101 "), answer
            await gateway.logged({"event": "connection.accepted", "peer": "203.0.113.7", "tls": "TLSv1.3"}, since)

    world.run(play())


@pytest.mark.parametrize("said", [b"", b"GET /chat HTTP/1.1\r\nHost: gw.example.test\r\n\r\n", b"PROXY TCP4 203.0.113.7\r\n", b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2",
                                  version_2()[:20], b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", b"\x16\x03\x01\x02\0"],
                         ids=["nothing", "a request", "half a line", "a line without end", "half a header", "version 3", "TLS"])
def test_required_of_the_proxy(world: World, said: bytes):
    async def play():
        gateway = await world.gateway(CONFIG)
        since = len(gateway.log)
        client = await Client.connect(gateway.addresses[PLAIN], source=PROXY)
        client.write(said)
        assert await client.rest() == b""
        await gateway.logged({"event": "connection.refused", "reason": "proxy.malformed", "peer": PROXY}, since)

    world.run(play())


@pytest.mark.parametrize("said", [version_1(), version_2(), request()], ids=["version 1", "version 2", "a request"])
def test_from_nobody_else(world: World, said: bytes):
    async def play():
        gateway = await world.gateway(CONFIG)
        since = len(gateway.log)
        client = await Client.connect(gateway.addresses[PLAIN], source=STRANGER)
        client.write(said + request())
        assert await client.rest() == b""
        await gateway.logged({"event": "connection.refused", "reason": "address.not_allowed", "peer": STRANGER}, since)

    world.run(play())


def test_no_request_where_it_is_not_spoken(world: World):
    async def play():
        gateway = await world.gateway()
        since = len(gateway.log)
        client = await Client.connect(gateway.addresses[PLAIN], source=PROXY)
        client.write(version_1() + request())
        assert (await client.read_answer()).status == 400
        await gateway.logged({"event": "connection.refused", "reason": "http.malformed", "peer": PROXY}, since)

    world.run(play())


def test_rules_and_limits_are_about_the_client(world: World):
    async def play():
        gateway = await world.gateway(CONFIG)
        since = len(gateway.log)
        refused = await opens(world, version_1("198.51.100.9"))
        assert (await refused.read_answer()).status == 403
        await gateway.logged({"event": "connection.refused", "reason": "address.not_allowed", "peer": "198.51.100.9"}, since)
        clients = []
        for address, status in (("203.0.113.21", 101), ("203.0.113.21", 101), ("203.0.113.21", 429), ("203.0.113.22", 101), ("2001:db8::1", 101),
                                ("2001:db8::2", 101), ("2001:db8::3", 429)):
            client = await opens(world, version_2(address))
            assert (await client.read_answer()).status == status, address
            clients.append(client)
        for client in clients:
            client.leave()
        # Silent sockets of many clients behind one proxy take the places of nobody else.
        silent = [await Client.connect(gateway.addresses[PLAIN], source=PROXY) for _ in range(100)]
        for number, client in enumerate(silent):
            client.write(version_1("203.0.113.30" if number % 2 else "203.0.113.31"))
        assert (await (await opens(world, version_1("203.0.113.32"))).read_answer()).status == 101
        for client in silent:
            client.leave()

    world.run(play())
