"""WebSocket frames (RFC 6455 §5.2), the wrong ones too: an encoder that obeys whatever it is told, a decoder that judges nothing."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def xor(data: bytes, key: bytes) -> bytes:
    if not data:
        return b""
    repeated = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


def encode(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | bool = True, rsv: int = 0) -> bytes:
    """One frame. `mask`: True for a random key, False for none, or the key."""
    key = os.urandom(4) if mask is True else mask
    bit = 0x80 if key else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    return head + (key + xor(payload, key) if key else payload)


def close_payload(code: int | None, reason: str = "") -> bytes:
    return b"" if code is None else struct.pack(">H", code) + reason.encode()


@dataclass
class Frame:
    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def code(self) -> int | None:
        """The code of a close frame; None when it has none."""
        return struct.unpack(">H", self.payload[:2])[0] if len(self.payload) >= 2 else None

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()

    def __str__(self) -> str:
        name = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}.get(self.opcode, f"opcode {self.opcode}")
        what = f"{self.code} {self.reason!r}" if self.opcode == CLOSE else repr(self.payload[:120])
        return f"{name}{'' if self.fin else ', more follows'}: {what}"


def decode(data: bytes | bytearray, start: int = 0) -> tuple[Frame, int] | None:
    """The frame at `start` and where it ends; None while it is incomplete."""
    if len(data) - start < 2:
        return None
    first, second = data[start], data[start + 1]
    at, length = start + 2, second & 0x7F
    if length == 126:
        if len(data) - at < 2:
            return None
        length, at = struct.unpack_from(">H", data, at)[0], at + 2
    elif length == 127:
        if len(data) - at < 8:
            return None
        length, at = struct.unpack_from(">Q", data, at)[0], at + 8
    masked = bool(second & 0x80)
    if len(data) - at < length + 4 * masked:
        return None
    payload = bytes(data[at + 4 * masked : at + 4 * masked + length])
    if masked:
        payload = xor(payload, bytes(data[at : at + 4]))
    return Frame(bool(first & 0x80), first >> 4 & 7, first & 15, masked, payload), at + 4 * masked + length
