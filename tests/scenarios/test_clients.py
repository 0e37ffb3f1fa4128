"""Clients that others wrote: Python's websockets and npm's ws, from tests/clients. They must see what we think we say."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import shutil
import subprocess

import pytest
import websockets

from harness import tokens
from harness.world import World

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"


def bearer(**claims) -> dict:
    return {"Authorization": f"Bearer {tokens.mint(**claims)}"}


def connect(world: World, gateway, headers: dict, **how):
    address, port = gateway.addresses["127.0.0.1"]
    return websockets.connect(
        f"wss://gw.example.test:{port}/chat", host=address, port=port, ssl=world.client_tls,
        server_hostname="gw.example.test",
        extra_headers=headers, **how)


class TestPythonWebsockets:
    def test_echo_and_close(self, world: World):
        world.backend.play(None)

        async def play():
            gateway = await world.gateway()
            async with connect(world, gateway, bearer(), subprotocols=["chat.v2", "chat.v1"]) as socket:
                assert socket.subprotocol == "chat.v2"
                assert not socket.extensions
                for message in ("hello", "", "€" * 1000, b"\0\xff" * 70000):
                    await socket.send(message)
                    assert await socket.recv() == message
                await socket.send(["in ", "several ", "pieces"])
                assert await socket.recv() == "in several pieces"
                await (await socket.ping(b"there?"))
                await socket.close(3001, "bye")
                assert socket.close_code == 3001
            arrival = await world.backend.arrival()
            assert (arrival.closed.code, arrival.closed.reason) == (3001, "bye")

        world.run(play())

    @pytest.mark.parametrize("headers, status", [
        ({}, 401), (lambda: bearer(exp="-60"), 401), (lambda: bearer() | {"Origin": "https://evil.test"}, 403)],
        ids=["no token", "expired", "evil origin"])
    def test_refused(self, world: World, headers, status):
        world.backend.play(None)

        async def play():
            gateway = await world.gateway()
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await connect(world, gateway, headers() if callable(headers) else headers)
            assert refused.value.status_code == status
            assert not world.backend.arrivals

        world.run(play())

    def test_revoked(self, world: World):
        world.backend.play(None)

        async def play():
            gateway = await world.gateway()
            async with connect(world, gateway, bearer(sub="websockets")) as socket:
                await gateway.admin("POST", "/v1/revocations", {"sub": "websockets"})
                with pytest.raises(websockets.ConnectionClosedError) as closed:
                    await socket.recv()
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "credential revoked")

        world.run(play())


@pytest.fixture(scope="session")
def node_ws() -> pathlib.Path:
    if not shutil.which("npm"):
        pytest.fail("npm is not installed; `make test` installs it")
    if not (CLIENTS / "node_modules" / "ws").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=CLIENTS, check=True)
    return CLIENTS / "ws_client.mjs"


class TestNodeWs:
    async def tell(self, world: World, script: pathlib.Path, gateway, **what) -> dict:
        """What the client saw: see ws_client.mjs."""
        what = {"address": gateway.addresses["127.0.0.1"][0], "port": gateway.addresses["127.0.0.1"][1],
                "host": "gw.example.test", "path": "/chat", "ca": str(world.authority.file)} | what
        child = await asyncio.create_subprocess_exec(
            "node", str(script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]})
        out, _ = await asyncio.wait_for(child.communicate(json.dumps(what).encode()), 20)
        return json.loads(out)

    def test_echo_and_close(self, world: World, node_ws):
        world.backend.play(None)

        async def play():
            gateway = await world.gateway()
            for how in ({"headers": {"Authorization": f"Bearer {tokens.mint()}"}}, {"protocols": [f"bearer.{tokens.mint()}", "chat.v1"]}):
                saw = await self.tell(world, node_ws, gateway, send=["hello", "", "€" * 30000], close=[3001, "bye"], **how)
                assert saw["messages"] == ["hello", "", "€" * 30000]
                assert saw["protocol"] == ("chat.v1" if "protocols" in how else "")
                assert saw["extensions"] == ""
                assert saw["pong"] == "there?"
                assert saw["closed"] == [3001, "bye"] or saw["closed"][0] == 3001
                assert (await world.backend.arrival()).closed.code == 3001

        world.run(play())

    @pytest.mark.parametrize("headers, status", [({}, 401), ({"Origin": "https://evil.test"}, 403)], ids=["no token", "evil origin"])
    def test_refused(self, world: World, node_ws, headers, status):
        world.backend.play(None)

        async def play():
            saw = await self.tell(world, node_ws, await world.gateway(), headers=headers, send=["hello"])
            assert saw["status"] == status
            assert not world.backend.arrivals

        world.run(play())

    def test_expired(self, world: World, node_ws):
        world.backend.play(None)

        async def play():
            headers = {"Authorization": f"Bearer {tokens.mint(exp='+2')}"}
            saw = await self.tell(world, node_ws, await world.gateway(), headers=headers, send=["hello"])
            assert saw["messages"] == ["hello"]
            assert saw["closed"] == [4401, "credential expired"]

        world.run(play())
