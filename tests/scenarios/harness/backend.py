"""The server behind the gateway: it writes down every byte that reaches it and does what the scenario says, the worst included."""

from __future__ import annotations

import asyncio
import pathlib
import socket
import ssl
import struct

from . import frames
from .client import accept_value
from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame
from .waiting import Bell

SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {{ACCEPT}}\r\n"


class Arrival:
    """One connection that the gateway made to the backend, and all that came over it."""

    def __init__(self, backend: "Backend", door: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.backend, self.door, self.reader, self.writer = backend, door, reader, writer
        self.raw = bytearray()
        self.head: bytes = b""
        self.frames: list[Frame] = []
        self.messages: list[tuple[int, bytes]] = []
        self.closed: Frame | None = None
        self.ended = False
        self.opened = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._at = 0

    # what it saw

    @property
    def target(self) -> str:
        return self.head.split(b"\r\n", 1)[0].split(b" ")[1].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]

    def header(self, name: str) -> str | None:
        values = [value for field, value in self.headers if field == name.lower()]
        return ", ".join(values) if values else None

    @property
    def payload(self) -> bytes:
        """All bytes behind the request's head."""
        return bytes(self.raw[len(self.head):])

    # what it does

    def send(self, opcode: int, payload: bytes | str = b"", **how) -> None:
        self.writer.write(frames.encode(opcode, payload.encode() if isinstance(payload, str) else payload, **{"mask": False} | how))

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def serve(self) -> None:
        script = self.backend.script
        try:
            while b"\r\n\r\n" not in self.raw:
                if not await self._read():
                    return
            self.head = bytes(self.raw[: self.raw.index(b"\r\n\r\n") + 4])
            self._at = len(self.head)
            self.backend.bell.ring()
            if script.get("waits"):
                await self._read_until(self.backend.released.wait())
            if script.get("silent"):
                while await self._read():
                    pass
                return
            self.writer.write(self._answer(script))
            self.writer.write(bytes.fromhex(script.get("then_sends", "")))
            if script.get("then") == "reset":
                await self.writer.drain()
                await self.backend.released.wait()
                self.reset()
                return
            if script.get("then") == "end":
                self.writer.close()
                return
            self.opened = True
            self.backend.bell.ring()
            while await self._read():
                self._digest(script.get("echoes", True))
                await self.writer.drain()
                await self.reading.wait()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.ended = True
            self.writer.close()
            self.backend.bell.ring()

    def _answer(self, script: dict) -> bytes:
        if "answers" in script:
            text = script["answers"]
        else:
            text = SWITCHING
            offered = [name.strip() for name in (self.header("sec-websocket-protocol") or "").split(",") if name.strip()]
            chosen = script.get("subprotocol", offered[0] if offered else None)
            text += f"Sec-WebSocket-Protocol: {chosen}\r\n\r\n" if chosen else "\r\n"
        return text.replace("{{ACCEPT}}", accept_value(self.header("sec-websocket-key") or "")).encode("latin-1")

    async def _read(self) -> bool:
        data = await self.reader.read(1 << 18)
        self.raw += data
        self.backend.bell.ring()
        return bool(data)

    async def _read_until(self, waiting) -> None:
        """Goes on writing down what comes while it waits."""
        wait, read = asyncio.ensure_future(waiting), asyncio.ensure_future(self._read())
        await asyncio.wait({wait, read}, return_when=asyncio.FIRST_COMPLETED)
        for task in (read, wait):
            task.cancel()
        await asyncio.gather(read, wait, return_exceptions=True)

    def _digest(self, echoes: bool) -> None:
        while found := frames.decode(self.raw, self._at):
            frame, self._at = found
            self.frames.append(frame)
            if frame.opcode == PING:
                self.send(PONG, frame.payload)
            elif frame.opcode == CLOSE:
                self.closed = frame
                if echoes:
                    self.send(CLOSE, frame.payload)
                    self.writer.close()
            elif frame.opcode in (TEXT, BINARY, CONTINUATION):
                if frame.opcode != CONTINUATION:
                    self._opcode, self._message = frame.opcode, bytearray()
                self._message += frame.payload
                if frame.fin:
                    self.messages.append((self._opcode, bytes(self._message)))
                    if echoes:
                        self.send(self._opcode, bytes(self._message))
        self.backend.bell.ring()


class Backend:
    """Several doors to one recorder: `main`, `other` and `closing` in the clear, `tls` with a certificate of the gateway's authority,
    `stranger` with one of another, `unix` on a socket file; behind `dead` nobody listens."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.bell = Bell()
        self.urls: dict[str, str] = {}
        self.arrivals: list[Arrival] = []
        self.script: dict = {}
        self.released = asyncio.Event()
        self._servers: dict[str, asyncio.AbstractServer] = {}

    async def start(self, tls: ssl.SSLContext, stranger: ssl.SSLContext) -> "Backend":
        for door, context in (("main", None), ("other", None), ("closing", None), ("tls", tls), ("stranger", stranger)):
            server = await asyncio.start_server(self._door(door), "127.0.0.1", 0, ssl=context, backlog=4096)
            self._servers[door] = server
            scheme = "wss" if context else "ws"
            name = "localhost" if context else "127.0.0.1"
            self.urls[door] = f"{scheme}://{name}:{server.sockets[0].getsockname()[1]}"
        path = self.folder / "backend.sock"
        self._servers["unix"] = await asyncio.start_unix_server(self._door("unix"), path)
        self.urls["unix"] = f"unix:{path}"
        self._dead = socket.socket()  # bound and never listening: a port that is surely refused
        self._dead.bind(("127.0.0.1", 0))
        self.urls["dead"] = f"ws://127.0.0.1:{self._dead.getsockname()[1]}"
        return self

    async def shut(self, door: str) -> None:
        self._servers[door].close()
        for arrival in self.arrivals:
            if arrival.door == door:
                arrival.reset()

    async def open_again(self, door: str) -> None:
        port = int(self.urls[door].rpartition(":")[2])
        self._servers[door] = await asyncio.start_server(self._door(door), "127.0.0.1", port, backlog=4096)

    def _door(self, door: str):
        async def arrive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrival = Arrival(self, door, reader, writer)
            self.arrivals.append(arrival)
            self.bell.ring()
            await arrival.serve()

        return arrive

    def play(self, script: dict | str | None) -> None:
        """Forgets what was, and does as `script` says from now on."""
        self.script = {} if script in (None, "echo") else dict(script)
        self.arrivals.clear()
        self.released.clear()

    async def arrival(self, number: int = -1) -> Arrival:
        """A connection whose request's head has been read; by default the newest."""

        def look():
            try:
                found = self.arrivals[number]
            except IndexError:
                return None
            return found if found.head else None

        return await self.bell.until(look, "a connection at the backend")

    async def all_ended(self) -> None:
        await self.bell.until(lambda: all(arrival.ended for arrival in self.arrivals),
                              "the gateway to let go of its connections to the backend")
