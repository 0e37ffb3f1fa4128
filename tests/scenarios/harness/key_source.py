"""An identity provider's key set over HTTPS: it counts who asks, and can be down."""

from __future__ import annotations

import asyncio
import ssl

from . import tokens
from .waiting import Bell


class KeySource:
    def __init__(self):
        self.fetched = 0
        self.down = False
        self.keys = tokens.PUBLISHED
        self.bell = Bell()
        self.answers: str | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def start(self, tls: ssl.SSLContext) -> "KeySource":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}/.well-known/jwks.json"
        return self

    def play(self, script: str | dict | None = None) -> None:
        """Forgets what was. `script`: "down"; "waits", with the keys until `open` is set; or {"answers": text} for something else than
        the keys; an empty text is silence."""
        self.fetched, self.down, self.keys = 0, script == "down", tokens.PUBLISHED
        self.open = asyncio.Event()
        if script != "waits":
            self.open.set()
        self.answers = script["answers"] if isinstance(script, dict) else None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.down:
                await reader.readuntil(b"\r\n\r\n")
                if self.down:
                    break
                self.fetched += 1
                await self.open.wait()
                if self.answers is not None:
                    writer.write(self.answers.encode())
                    await reader.read()
                    break
                body = tokens.key_set(*self.keys).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
                self.bell.ring()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.fetched += self.down
            self.bell.ring()
            writer.transport.abort()
