"""A client that speaks HTTP/2 by python3-h2, and raw frames where h2 would refuse to write what an attacker does."""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import struct

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from . import frames
from .waiting import Bell, within

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
ENHANCE_YOUR_CALM, REFUSED_STREAM, PROTOCOL_ERROR = 11, 7, 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def request(path: str = "/chat", *, token: str | None = None, authority: str = "gw.example.test",
            more: list[tuple[str, str]] | None = None, **pseudo: str | None) -> list[tuple[str, str]]:
    """The fields of a good extended CONNECT. `pseudo`: others of the pseudo-header fields, None for none."""
    fields = {"method": "CONNECT", "protocol": "websocket", "scheme": "https", "authority": authority, "path": path} | pseudo
    out = [(f":{name}", value) for name, value in fields.items() if value is not None]
    if fields["method"] == "CONNECT":
        out.append(("sec-websocket-version", "13"))
    if token:
        out.append(("authorization", f"Bearer {token}"))
    return out + (more or [])


class Stream:
    def __init__(self, number: int):
        self.number = number
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.data = bytearray()
        self.ended = False
        self.reset: int | None = None
        self._at = 0

    def frame(self) -> frames.Frame | None:
        """The next WebSocket frame, once it is whole."""
        found = frames.decode(self.data, self._at)
        if found is None:
            return None
        self._at = found[1]
        return found[0]


class Http2Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, takes: bool):
        self.reader, self.writer, self.takes = reader, writer, takes
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False, validate_inbound_headers=True)
        self.h2 = h2.connection.H2Connection(config=config)
        self.bell = Bell()
        self.streams: dict[int, Stream] = {}
        self.settings: dict = {}
        self.pings = 0
        self.goaway: int | None = None
        self.goaway_data = b""
        self.ended = False
        self.h2.initiate_connection()
        self.flush()
        self._task = asyncio.ensure_future(self._read())

    @classmethod
    async def connect(cls, address: tuple[str, int], authority: pathlib.Path, *, name: str = "gw.example.test",
                      takes: bool = True, certificate: tuple | None = None) -> "Http2Client":
        """`takes`: gives the gateway room for more as data comes. `certificate`: the client's own, and its key."""
        tls = ssl.create_default_context(cafile=str(authority))
        if certificate:
            tls.load_cert_chain(*map(str, certificate))
        tls.set_alpn_protocols(["h2"])
        reader, writer = await within(asyncio.open_connection(*address, ssl=tls, server_hostname=name), "the TLS handshake")
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        client = cls(reader, writer, takes)
        await client.bell.until(lambda: client.settings or client.ended, "the gateway's SETTINGS")
        if not client.settings:
            raise ConnectionError("the gateway ended the connection instead of its SETTINGS")
        return client

    async def _read(self) -> None:
        try:
            received = b""
            while data := await self.reader.read(65536):
                received += data
                # A frame at a time: h2 takes nothing behind a GOAWAY, where a gateway that drains has more to say.
                while len(received) >= 9 and len(received) >= (size := 9 + int.from_bytes(received[:3], "big")):
                    for event in self.h2.receive_data(received[:size]):
                        self._on(event)
                    received = received[size:]
                    if self.goaway is not None:
                        self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
                self.flush()
                self.bell.ring()
        except (OSError, h2.exceptions.ProtocolError):
            pass
        self.ended = True
        self.bell.ring()

    def _on(self, event) -> None:
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings |= {setting: change.new_value for setting, change in event.changed_settings.items()}
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway, self.goaway_data = int(event.error_code), event.additional_data or b""
        elif stream is None:
            pass
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = dict(event.headers)
            stream.status = int(stream.headers[":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream.data += event.data
            if self.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code)

    def flush(self) -> None:
        self.raw(self.h2.data_to_send())

    def raw(self, data: bytes) -> None:
        if data and not self.writer.is_closing():
            self.writer.write(data)

    def open(self, fields: list[tuple[str, str]], *, end: bool = False) -> Stream:
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream(number)
        self.h2.send_headers(number, fields, end_stream=end)
        self.flush()
        return stream

    def open_raw(self, block: bytes, number: int, flags: int = END_HEADERS) -> Stream:
        """A header block as it is, which h2 knows nothing of."""
        stream = self.streams[number] = Stream(number)
        self.raw(frame(HEADERS, flags, number, block))
        return stream

    def send(self, stream: Stream, opcode: int, payload: bytes | str = b"") -> None:
        self.h2.send_data(stream.number, frames.encode(opcode, payload.encode() if isinstance(payload, str) else payload))
        self.flush()

    async def answered(self, stream: Stream) -> int | None:
        """Its status; None when it was reset without one."""
        await self.bell.until(lambda: stream.status is not None or stream.reset is not None or self.ended or self.goaway is not None,
                              f"an answer on stream {stream.number}")
        return stream.status

    async def opened(self, fields: list[tuple[str, str]]) -> Stream:
        stream = self.open(fields)
        assert await self.answered(stream) == 200, (stream.status, stream.reset, bytes(stream.data))
        return stream

    async def frame(self, stream: Stream) -> frames.Frame:
        found = stream.frame()
        while found is None:
            before = len(stream.data)
            await self.bell.until(lambda: len(stream.data) > before or stream.reset is not None or self.ended, "a frame")
            found = stream.frame()
            assert found or (stream.reset is None and not self.ended), f"stream {stream.number} ended: {stream.reset}"
        return found

    async def echoes(self, stream: Stream, text: str) -> None:
        self.send(stream, frames.TEXT, text)
        assert (await self.frame(stream)).payload == text.encode()

    async def was_reset(self, stream: Stream) -> int:
        await self.bell.until(lambda: stream.reset is not None, f"the reset of stream {stream.number}")
        return stream.reset

    async def went_away(self) -> int:
        """The code of the gateway's GOAWAY."""
        await self.bell.until(lambda: self.goaway is not None or self.ended, "GOAWAY")
        assert self.goaway is not None, "the connection ended without a GOAWAY"
        return self.goaway

    async def alive(self) -> bool:
        before = self.pings
        self.h2.ping(b"12345678")
        self.flush()
        await self.bell.until(lambda: self.pings > before or self.ended, "the answer to a PING")
        return self.pings > before

    async def close(self) -> None:
        self._task.cancel()
        self.writer.close()
