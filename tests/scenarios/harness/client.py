"""A client of the gateway that sends exactly the bytes it is told to, in exactly the pieces it is told to."""

from __future__ import annotations

import asyncio
import base64
import collections
import hashlib
import json
import socket
import ssl
import struct

from . import frames, secrets
from .frames import CLOSE, CONTINUATION, PING, PONG, TEXT, Frame
from .gateway import Answer
from .waiting import PATIENCE, within

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept_value(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def upgrade(path: str = "/", *, host: str = "gw.example.test", headers: list[tuple[str, str]] | dict | None = None,
            key: str = KEY) -> bytes:
    """A good upgrade request; `headers` come after the usual ones."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    pairs = headers.items() if isinstance(headers, dict) else headers or []
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in pairs), "", ""]).encode("utf-8")


class Client:
    """One connection to the gateway. Reads go on from where the last one stopped; every wait has an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.answer: Answer | None = None
        self.closed: Frame | None = None
        self.pongs: list[bytes] = []
        self.notices: list[dict] = []
        self.messages: collections.deque[bytes] = collections.deque()
        self.listens = False  #: to the control channel
        self._buffer = bytearray()
        self._opcode, self._message = 0, b""

    @classmethod
    async def connect(cls, address: tuple[str, int], *, tls: ssl.SSLContext | None = None, name: str = "gw.example.test",
                      source: str | None = None, window: int | None = None) -> "Client":
        """`source`: the address to come from. `window`: the size of the receive buffer, for clients that will not read."""
        sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            sock.bind((source, 0))
        await within(asyncio.get_running_loop().sock_connect(sock, address), f"a connection to {address}")
        reader, writer = await within(
            asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name if tls else None, limit=window or 65536),
            "the TLS handshake")
        return cls(reader, writer)

    # sending

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def write_all(self, data: bytes) -> None:
        self.writer.write(data)
        await within(self.writer.drain(), "the gateway to take bytes", 30)

    def send(self, opcode: int, payload: bytes | str = b"", **how) -> None:
        self.write(frames.encode(opcode, payload.encode() if isinstance(payload, str) else payload, **how))

    def text(self, text: str) -> None:
        self.send(TEXT, text)

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        self.send(CLOSE, frames.close_payload(code, reason))

    def reset(self) -> None:
        """Ends the connection the hard way, by RST."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def leave(self) -> None:
        """Ends the connection by FIN, without a word."""
        self.writer.close()

    # receiving

    async def _more(self, what: str, seconds: float = PATIENCE) -> None:
        try:
            data = await within(self.reader.read(65536), what, seconds)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            data = b""
        if not data:
            raise EOFError(f"the gateway ended the connection instead of {what}")
        self._buffer += data

    async def read_answer(self, seconds: float = PATIENCE) -> Answer:
        """The answer to the upgrade: after a 101 the bytes behind the head stay for the frames, otherwise all until the end."""
        while b"\r\n\r\n" not in self._buffer:
            await self._more("an answer to the upgrade", seconds)
        end = self._buffer.index(b"\r\n\r\n") + 4
        if Answer.parse(bytes(self._buffer[:end])).status != 101:
            try:
                while True:
                    await self._more("the end of a refusal", seconds)
            except EOFError:
                end = len(self._buffer)
        self.answer = Answer.parse(bytes(self._buffer[:end]))
        del self._buffer[:end]
        secrets.overhear("an answer to an upgrade", self.answer.raw)
        return self.answer

    async def open(self, request: bytes, seconds: float = PATIENCE) -> "Client":
        """Sends an upgrade that must succeed."""
        self.write(request)
        answer = await self.read_answer(seconds)
        assert answer.status == 101, f"refused with {answer.status}: {answer.body[:200]!r}"
        assert answer.header("sec-websocket-accept") == accept_value(KEY), answer.headers
        assert answer.header("sec-websocket-extensions") is None, answer.headers
        return self

    async def frame(self, what: str = "a frame", seconds: float = PATIENCE) -> Frame:
        """The next frame, of any kind. The gateway never masks, sets a reserved bit or uses an opcode that does not exist."""
        while not (found := frames.decode(self._buffer)):
            await self._more(what, seconds)
        frame, end = found
        del self._buffer[:end]
        assert not frame.masked and not frame.rsv and frame.opcode in (0, 1, 2, 8, 9, 10), f"the gateway sent {frame}"
        return frame

    async def _file(self, what: str, seconds: float) -> None:
        """Reads a frame and puts it where it belongs: messages, pongs, notices; a ping is answered. A close frame is kept and ends
        the wait for anything else."""
        frame = await self.frame(what, seconds)
        if frame.opcode == PING:
            self.send(PONG, frame.payload)
        elif frame.opcode == PONG:
            self.pongs.append(frame.payload)
        elif frame.opcode == CLOSE:
            self.closed = frame
            raise EOFError(f"{frame} came instead of {what}")
        else:
            assert (frame.opcode == CONTINUATION) == bool(self._opcode), f"{frame} came out of order"
            self._opcode, self._message = self._opcode or frame.opcode, self._message + frame.payload
            if frame.fin:
                if self.listens and self._opcode == TEXT and self._message.startswith(b'{"$sallyport"'):
                    self.notices.append(json.loads(self._message)["$sallyport"])
                else:
                    self.messages.append(self._message)
                self._opcode, self._message = 0, b""

    async def receive(self, what: str = "a message", seconds: float = PATIENCE) -> bytes:
        """The next message of the backend, put together."""
        while not self.messages:
            await self._file(what, seconds)
        return self.messages.popleft()

    async def notice(self, op: str, seconds: float = PATIENCE) -> dict:
        """The next notice of this kind, with no message of the backend before it."""
        while True:
            for at, notice in enumerate(self.notices):
                if notice.get("op") == op:
                    return self.notices.pop(at)
            await self._file(f"the notice {op!r}", seconds)
            assert not self.messages, f"{self.messages[0][:200]!r} came instead of the notice {op!r}"

    async def pong(self, payload: bytes) -> None:
        """Pings and waits for the pong; proves that all sent before has been dealt with."""
        self.send(PING, payload)
        while payload not in self.pongs:
            await self._file("a pong", PATIENCE)
        self.pongs.remove(payload)

    async def close_frame(self, seconds: float = PATIENCE) -> Frame:
        """The close frame, whatever comes before it. Not answered."""
        try:
            while self.closed is None:
                await self._file("a close frame", seconds)
        except EOFError:
            if self.closed is None:
                raise AssertionError("the gateway ended the connection without a close frame") from None
        return self.closed

    async def rest(self, seconds: float = PATIENCE) -> bytes:
        """All that comes until the end of the connection."""
        data = bytearray()
        while True:
            data += self._buffer
            self._buffer.clear()
            try:
                await self._more("the end of the connection", seconds)
            except EOFError:
                return bytes(data)

    async def end(self, seconds: float = PATIENCE) -> None:
        """The connection ends and nothing more comes before that."""
        rest = await self.rest(seconds)
        assert not rest, f"{rest[:200]!r} came before the end"
