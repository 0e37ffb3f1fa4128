"""Fixtures: a folder to run the program in, a backend, and a gateway."""

from __future__ import annotations

import asyncio
import pathlib
import sys
import threading

import pytest
import websockets

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from program import PATIENCE, Folder, Gateway  # noqa: E402


@pytest.fixture(scope="session")
def backend():
    """Echoes, with the subject that it was told, and takes the subprotocol `chat`."""
    loop, ready, port = asyncio.new_event_loop(), threading.Event(), []

    async def echo(socket):
        try:
            async for message in socket:
                await socket.send(f"{socket.request_headers['X-Sallyport-Subject']}: {message}")
        except websockets.ConnectionClosed:
            pass

    async def serve():
        async with websockets.serve(echo, "127.0.0.1", 0, subprotocols=["chat"]) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.Event().wait()

    def turn():
        try:
            loop.run_until_complete(serve())
        except RuntimeError:
            pass  # stopped at the end of the session

    threading.Thread(target=turn, daemon=True).start()
    assert ready.wait(PATIENCE)
    return port[0]


@pytest.fixture
def folder(tmp_path, backend):
    return Folder(tmp_path, backend)


@pytest.fixture
def gateway(folder):
    gateway = Gateway(folder)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory, backend):
    """For tests that leave nothing behind."""
    gateway = Gateway(Folder(tmp_path_factory.mktemp("gateway"), backend))
    yield gateway
    gateway.stop()
