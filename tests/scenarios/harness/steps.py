"""The words of a scenario. A step names who acts and what happens:

    - alice:   { opens: /chat, token: { sub: alice } }
    - alice:   { sends: hello, receives: hello }
    - admin:   { post: /v1/revocations, body: { sub: alice }, answers: { closed: 1 } }
    - alice:   { is_closed: 4401, reason: credential revoked }
    - backend: { is_closed: 1001 }
    - log:     { event: connection.closed, reason: credential.revoked, by: gateway }

`backend`, `admin`, `gateway`, `key_source`, `tokens`, `log` and `metrics` are what they say; every other name is a client, which appears when it
first acts. A verb is a method of the actor below, its docstring is its reference; the words beside it in the same step are either
further verbs, done from left to right, or options of the verb before. `$name` stands for a value kept earlier by `keeps`, or for a
column of the scenario's `each` table.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import shutil
import signal as signals
import sqlite3
import time

from jwcrypto import jwk, jwt

from . import frames, secrets, tokens
from .backend import Arrival
from .client import Client, upgrade
from .gateway import Answer, Gateway, matches
from .waiting import within
from .world import World


def check(value, wanted, what: str) -> None:
    assert matches(value, wanted), f"{what}: {value!r} where {wanted!r} was expected"


class Actor:
    def __init__(self, scene: "Scene", name: str):
        self.scene, self.name = scene, name

    async def act(self, step: dict) -> None:
        calls: list[tuple] = []
        for word, value in step.items():
            verb = getattr(type(self), word.replace(" ", "_"), None)
            if inspect.iscoroutinefunction(verb) and not word.startswith("_") and word != "act":
                calls.append((verb, value, {}))
            elif calls and word in inspect.signature(calls[-1][0]).parameters:
                calls[-1][2][word] = value
            else:
                raise AssertionError(f"{self.name} knows no {word!r}")
        for verb, value, options in calls:
            await verb(self, value, **options)


class ClientActor(Actor):
    client: Client
    answer: Answer | None = None

    # handshake

    async def tries(self, path: str, *, token=None, by: str = "header", cookie=None, origin: str | None = "", headers=None,
                    subprotocols=None, host: str = "gw.example.test", plain: bool = False, source: str | None = None,
                    at: str | None = None, times: int = 1, filler: dict | None = None, reads: bool = True) -> None:
        """Sends an upgrade, and waits for the answer unless `reads` is false.
        `token` goes where `by` says: header, subprotocol, cookie, query. `origin`: the app's own for a cookie, otherwise none.
        `at`: the address of another listener than the usual two. `times`: so often, on a new connection each; the last one counts. `filler`: so many more `fields` of such a `size`."""
        pairs: list[tuple[str, str]] = []
        offered = list(subprotocols or [])
        credential = self.scene.token(token)
        if by == "cookie" and origin == "":
            origin = "https://app.example.com"
        if origin:
            pairs.append(("Origin", origin))
        cookies = [cookie] if isinstance(cookie, str) else list(cookie or [])
        for where, value in ((by, each) for each in ([] if credential is None else [credential])):
            if where == "header":
                pairs.append(("Authorization", f"Bearer {value}"))
            elif where == "subprotocol":
                offered.append(f"bearer.{value}")
            elif where == "cookie":
                cookies.append(f"access_token={value}")
            elif where == "query":
                path += f"{'&' if '?' in path else '?'}token={value}"
            else:
                raise AssertionError(f"a token travels in no {where!r}")
        if cookies:
            pairs.append(("Cookie", "; ".join(cookies)))
        if offered:
            pairs.append(("Sec-WebSocket-Protocol", ", ".join(offered)))
        for each in [headers] if isinstance(headers, dict) else headers or []:
            pairs += each.items()
        pairs += [(f"X-Filler-{number}", "x" * filler["size"]) for number in range(filler["fields"])] if filler else []
        for _ in range(times):
            await self.connects(True, plain=plain, source=source, at=at)
            self.client.write(upgrade(path, host=host, headers=pairs))
            if reads:
                await self.reads_answer(True)

    async def reads_answer(self, _) -> None:
        """Waits for the answer to the upgrade."""
        self.answer = await self.client.read_answer()

    async def gets(self, path: str, *, method: str = "GET", host: str = "gw.example.test") -> None:
        """An ordinary request that asks for no upgrade."""
        await self.connects(True)
        self.client.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await self.reads_answer(True)

    async def opens(self, path: str, *, token=None, by: str = "header", cookie=None, origin: str | None = "", headers=None,
                    subprotocols=None, host: str = "gw.example.test", plain: bool = False, source: str | None = None,
                    at: str | None = None) -> None:
        """Sends an upgrade (see `tries`) that is answered with 101."""
        await self.tries(path, token=token, by=by, cookie=cookie, origin=origin, headers=headers, subprotocols=subprotocols,
                         host=host, plain=plain, source=source, at=at)
        await self.is_answered(101)

    async def opens_in_time(self, path: str, *, token=None) -> None:
        """Tries again until it is let in, as a client does that was told 502 or 503 or not answered."""
        until = time.monotonic() + 10
        while True:
            try:
                await self.tries(path, token=token)
                if self.answer and self.answer.status not in (502, 503):
                    return await self.is_answered(101)
            except (ConnectionError, EOFError):
                pass
            assert time.monotonic() < until, "turned away to the end"

    async def is_refused_or_closed(self, how: dict) -> None:
        """The answer is a refusal with this `status`, or a 101 and then a close frame with this `code`."""
        await self.reads_answer(True)
        if self.answer and self.answer.status == 101:
            return await self.is_closed(how["code"])
        await self.is_answered(how["status"])

    async def is_answered(self, status, *, headers=None, without=None) -> None:
        """The status of the answer. `headers` it has, `without` it has not. A refusal ends the connection."""
        assert self.answer
        assert matches(self.answer.status, status), f"answered with {self.answer.status} {self.answer.body[:200]!r}, not {status}"
        for name, wanted in (headers or {}).items():
            check(self.answer.header(name), wanted, f"the field {name} of the answer")
        for name in without or []:
            assert self.answer.header(name) is None, f"{name}: {self.answer.header(name)}"
        if self.answer.status != 101:
            assert "close" in (self.answer.header("connection") or ""), self.answer.headers
            if self.answer.status == 401:
                assert self.answer.header("www-authenticate"), self.answer.headers
            if self.answer.status == 429:
                assert self.answer.header("retry-after"), self.answer.headers

    async def heard_nothing_of(self, text: str) -> None:
        """The answer holds no byte of this."""
        assert self.answer and text.encode() not in self.answer.raw, self.answer

    async def connects(self, _, *, plain: bool = False, source: str | None = None, at: str | None = None) -> None:
        """Opens a connection and says nothing yet."""
        self.client = await self.scene.world.connect(self.scene.gateway, plain=plain, source=source, at=at)
        self.scene.clients.append(self.client)

    async def connects_without_tls(self, _) -> None:
        """Opens a connection to the TLS port and says nothing, not even a ClientHello."""
        self.client = await Client.connect(self.scene.gateway.addresses["127.0.0.1"])
        self.scene.clients.append(self.client)

    async def cannot_connect(self, _) -> None:
        """Nobody takes the connection, or it ends without an answer."""
        try:
            client = await self.scene.world.connect(self.scene.gateway)
        except OSError:
            return
        self.scene.clients.append(client)
        assert not await client.rest()

    async def occupies(self, places: int) -> None:
        """So many connections that say nothing."""
        self.crowd = [await Client.connect(self.scene.gateway.addresses["127.0.0.2"]) for _ in range(places)]
        self.scene.clients += self.crowd

    async def are_all_cut(self, _) -> None:
        """All of those end."""
        for client in self.crowd:
            await client.rest()
            client.leave()

    # sending

    async def sends(self, text) -> None:
        """A text message; an object is sent as JSON."""
        self.client.text(text if isinstance(text, str) else json.dumps(text, separators=(",", ":")))

    async def sends_bytes(self, data: str) -> None:
        """Bytes in hex, as they are."""
        self.client.write(bytes.fromhex(data))

    async def sends_raw(self, text: str) -> None:
        """Text, as it is."""
        self.client.write(text.encode("latin-1"))

    async def sends_frame(self, how: dict) -> None:
        """One frame: `opcode`, `text` or `hex`, `fin`, `rsv`, `mask`."""
        payload = bytes.fromhex(how["hex"]) if "hex" in how else how.get("text", "").encode()
        self.client.send(how["opcode"], payload, fin=how.get("fin", True), rsv=how.get("rsv", 0), mask=how.get("mask", True))

    async def sends_messages(self, count: int, *, size: int = 0) -> None:
        """Numbered messages of at least `size` bytes."""
        for number in range(count):
            self.client.text(f"{number:06}".ljust(size, "."))
            await within(self.client.writer.drain(), "the gateway to take messages")

    async def floods_with(self, opcode: int, *, times: int) -> None:
        """So many control frames at once."""
        self.client.write(b"".join(frames.encode(opcode, b"x") for _ in range(times)))

    async def sends_bytewise(self, data: str) -> None:
        """Bytes in hex, each in a segment of its own."""
        for byte in bytes.fromhex(data):
            self.client.write(bytes([byte]))
            await asyncio.sleep(0)

    async def sends_pieces(self, count: int, *, size: int) -> None:
        """The beginning of a text message, as `count` frames of `size` bytes each."""
        for number in range(count):
            self.client.send(frames.CONTINUATION if number else frames.TEXT, b"x" * size, fin=False)

    async def sends_message_of(self, size: int) -> None:
        """One text message of this many bytes."""
        await self.client.write_all(frames.encode(frames.TEXT, b"x" * size))

    async def asks(self, request: dict) -> None:
        """A request to the gateway on the control channel; its `token` may be described as for `tries`."""
        if "token" in request:
            request = {**request, "token": self.scene.token(request["token"])}
        self.client.text(json.dumps({"$sallyport": request}, separators=(",", ":")))

    async def closes(self, code: int | None, *, reason: str = "") -> None:
        """A close frame."""
        self.client.close(code, reason)

    async def resets(self, _) -> None:
        """Ends the connection by RST."""
        self.client.reset()

    async def leaves(self, _) -> None:
        """Ends the connection by FIN without a close frame."""
        self.client.leave()

    async def stops_reading(self, _) -> None:
        """Reads nothing from now on."""
        self.client.writer.transport.pause_reading()

    async def answers_pings(self, count: int) -> None:
        """Waits for so many pings and answers each."""
        for _ in range(count):
            frame = await self.client.frame("a ping")
            assert frame.opcode == frames.PING, str(frame)
            self.client.send(frames.PONG, frame.payload)

    # receiving

    async def receives(self, text) -> None:
        """The next message of the backend; an object is compared as JSON."""
        message = (await self.client.receive(f"{text!r} at {self.name}")).decode()
        check(message if isinstance(text, str) else json.loads(message), text, f"{self.name} received")

    async def receives_message_of(self, size: int) -> None:
        """The next message of the backend has this many bytes."""
        message = await self.client.receive(f"{size} bytes", 30)
        assert len(message) == size, f"{len(message)} bytes"

    async def receives_messages(self, count: int) -> None:
        """Numbered messages, none missing, none twice."""
        for number in range(count):
            message = await self.client.receive(f"message {number}")
            assert message.startswith(b"%06d" % number), message[:40]

    async def receives_frames(self, expected: list) -> None:
        """The next frames exactly: objects with `opcode`, `text`, `fin`."""
        for wanted in expected:
            frame = await self.client.frame(str(wanted))
            check({"opcode": frame.opcode, "fin": frame.fin, "text": frame.payload.decode("latin-1")}, wanted, "frame")

    async def is_told(self, wanted: dict) -> None:
        """The next notice of this `op` on the control channel."""
        self.client.listens = True
        check(await self.client.notice(wanted["op"]), wanted, f"{self.name} was told")

    async def was_told(self, notices: list) -> None:
        """All notices that came so far and were not asked for by `is_told`."""
        check(self.client.notices, notices, f"{self.name} was told")

    async def is_past(self, when: str) -> None:
        """Waits until the clock shows so many seconds after the start of the scenario; the only thing that is about time itself."""
        await asyncio.sleep(max(0.0, self.scene.began + float(when) - time.time()))

    async def echoes(self, text: str) -> None:
        """The tunnel is alive: what is sent comes back, and nothing else before it."""
        await self.sends(text)
        await self.receives(text)

    async def pings(self, text: str) -> None:
        """A ping, answered by its pong. Also proves that all sent before has been dealt with."""
        await self.client.pong(text.encode())

    async def is_pinged(self, _) -> None:
        """The gateway's next frame is a ping. Not answered."""
        frame = await self.client.frame("a ping")
        assert frame.opcode == frames.PING, str(frame)

    async def is_closed(self, code, *, reason=None, answers: bool = True) -> None:
        """A close frame with this code comes; it is answered unless told otherwise, and then the connection ends."""
        frame = await self.client.close_frame()
        check(frame.code, code, f"{self.name} was closed ({frame.reason})")
        if reason is not None:
            check(frame.reason, reason, "the reason given")
        if answers:
            self.client.send(frames.CLOSE, frame.payload[:2])
            await self.client.end()

    async def ends(self, _) -> None:
        """The connection ends and nothing comes before that."""
        await self.client.end()

    async def is_cut(self, _, *, seconds: float = 10) -> None:
        """The connection ends, whatever comes before that."""
        self.client.writer.transport.resume_reading()
        await self.client.rest(seconds)


class BackendActor(Actor):
    arrival: Arrival | None = None

    async def _arrival(self, wanted=None) -> Arrival:
        if wanted is not None or self.arrival is None:
            self.arrival = await self.scene.world.backend.arrival(-1 if wanted is None else wanted)
        return self.arrival

    async def behaves(self, script) -> None:
        """From the next connection on: `echo`, or an object like the scenario's `backend`."""
        self.scene.world.backend.script = {} if script == "echo" else script

    async def takes(self, number: int) -> None:
        """The steps that follow are about this connection; 0 is the first of the scenario."""
        await self._arrival(number)

    async def was_asked(self, wanted: dict) -> None:
        """The upgrade as the backend saw it: `target`, `headers`; null for one that must not be there."""
        arrival = await self._arrival(-1)
        if "target" in wanted:
            check(arrival.target, wanted["target"], "the request's target")
        for name, value in wanted.get("headers", {}).items():
            if value is None:
                assert arrival.header(name) is None, f"{name}: {arrival.header(name)} reached the backend"
            else:
                check(arrival.header(name), value, f"the field {name} at the backend")
        for text in wanted.get("without", []):
            assert text.encode() not in bytes(arrival.raw), f"{text!r} reached the backend"

    async def never_saw(self, texts) -> None:
        """Not one of its connections carried this, or one of these, masked or not."""
        for arrival in self.scene.world.backend.arrivals:
            said = bytes(arrival.raw) + b"".join(frame.payload for frame in arrival.frames)
            for text in [texts] if isinstance(texts, str) else texts:
                assert text.encode() not in said, f"{text!r} reached the backend"

    async def has_connections(self, count: int) -> None:
        """So many connections with at least one byte were made in this scenario."""
        count_now = sum(bool(arrival.raw) for arrival in self.scene.world.backend.arrivals)
        assert count_now == count, f"{count_now} connections reached the backend"

    async def receives(self, text) -> None:
        """The next message that was not asked for yet."""
        arrival = await self._arrival()
        seen = self.scene.seen.setdefault(id(arrival), 0)
        await self.scene.world.backend.bell.until(lambda: len(arrival.messages) > seen, f"{text!r} at the backend")
        self.scene.seen[id(arrival)] = seen + 1
        check(arrival.messages[seen][1].decode(), text, "the backend received")

    async def received(self, messages: list) -> None:
        """All messages so far, exactly."""
        arrival = await self._arrival()
        check([payload.decode() for _, payload in arrival.messages], messages, "the backend received")

    async def has_frames(self, opcodes: list) -> None:
        """The opcodes of all frames so far, exactly."""
        check([frame.opcode for frame in (await self._arrival()).frames], opcodes, "the frames at the backend")

    async def sends(self, text: str) -> None:
        """A text message."""
        arrival = await self._arrival()
        await self.scene.world.backend.bell.until(lambda: arrival.opened, "the backend to have answered")
        arrival.send(frames.TEXT, text if isinstance(text, str) else json.dumps(text, separators=(",", ":")))

    async def sends_bytes(self, data: str) -> None:
        """Bytes in hex, as they are."""
        arrival = await self._arrival()
        await self.scene.world.backend.bell.until(lambda: arrival.opened, "the backend to have answered")
        arrival.writer.write(bytes.fromhex(data))

    async def sends_message_of(self, size: int) -> None:
        """One text message of this many bytes."""
        (await self._arrival()).send(frames.TEXT, b"x" * size)

    async def closes(self, code: int | None, *, reason: str = "") -> None:
        """A close frame."""
        (await self._arrival()).send(frames.CLOSE, frames.close_payload(code, reason))

    async def resets(self, _) -> None:
        """Ends the connection by RST."""
        (await self._arrival()).reset()

    async def leaves(self, _) -> None:
        """Ends the connection by FIN without a close frame."""
        (await self._arrival()).writer.close()

    async def goes_on(self, _) -> None:
        """Does what the script `waits` with."""
        self.scene.world.backend.released.set()

    async def is_closed(self, code) -> None:
        """A close frame with this code reached it; null for one without a code."""
        arrival = await self._arrival()
        await self.scene.world.backend.bell.until(lambda: arrival.closed or arrival.ended, "a close frame at the backend")
        assert arrival.closed, "the backend's connection ended without a close frame"
        check(arrival.closed.code, code, "the backend was closed")

    async def ends(self, _) -> None:
        """Its connection ended."""
        arrival = await self._arrival()
        await self.scene.world.backend.bell.until(lambda: arrival.ended, "the end of the backend's connection")

    async def was_met_at(self, doors: dict) -> None:
        """How many connections came through which door."""
        came = [arrival.door for arrival in self.scene.world.backend.arrivals if arrival.raw]
        check({door: came.count(door) for door in set(came)}, doors, "connections by door")

    async def has_a_sound_assertion(self, wanted: dict) -> None:
        """X-Sallyport-Identity verifies, by another implementation, with the keys that the gateway publishes, and says this."""
        arrival = await self._arrival(-1)
        client = await self.scene.world.connect(self.scene.gateway)
        client.write(b"GET /.sallyport/jwks.json HTTP/1.1\r\nHost: gw.example.test\r\n\r\n")
        answer = await client.read_answer()
        check(answer.status, 200, "the status of jwks.json")
        assert not any("d" in key for key in answer.json["keys"]), "a private key was published"
        token = jwt.JWT(jwt=secrets.remember("an assertion", arrival.header("x-sallyport-identity") or ""),
                        key=jwk.JWKSet.from_json(answer.body.decode()), algs=["ES256", "EdDSA"])
        claims = json.loads(token.claims)
        check(claims, wanted, "the assertion")
        assert 0 < claims["exp"] - time.time() <= 61, claims
        assert arrival.header("x-sallyport-connection") in claims.values(), claims

    async def shuts(self, door: str) -> None:
        """Nobody is served behind this door any more, and those who were are cut."""
        await self.scene.world.backend.shut(door)

    async def opens_again(self, door: str) -> None:
        """Somebody listens behind this door again, on the port that it had."""
        await self.scene.world.backend.open_again(door)

    async def heard_at(self, door: str) -> None:
        """Which door the newest connection came through."""
        check((await self._arrival(-1)).door, door, "the backend's door")


class AdminActor(Actor):
    answer: Answer

    async def _call(self, method: str, path: str, body, token: str | None) -> None:
        self.answer = await self.scene.gateway.admin(method, path, body, token)

    async def get(self, path: str, *, token: str | None = "") -> None:
        """GET, with the right token unless another, or null for none, is given."""
        await self._call("GET", path, None, token)

    async def post(self, path: str, *, body=None, token: str | None = "") -> None:
        """POST."""
        await self._call("POST", path, body, token)

    async def delete(self, path: str, *, token: str | None = "") -> None:
        """DELETE."""
        await self._call("DELETE", path, None, token)

    async def answers(self, wanted, *, status=None) -> None:
        """The answer has this, and a status that says success, or the one given."""
        assert matches(self.answer.status, status if status is not None else {"below": 300}), \
            f"answered with {self.answer.status}: {self.answer.body[:300]!r}"
        if wanted is not None:
            check(self.answer.json, wanted, "the admin API answered")

    async def refuses(self, status: int) -> None:
        """The status of a call that fails."""
        assert self.answer.status == status, f"answered with {self.answer.status}: {self.answer.body[:300]!r}"

    async def keeps(self, names: dict) -> None:
        """Members of the answer under names for `$name`."""
        for name, member in names.items():
            value = self.answer.json
            for part in str(member).split("/"):
                value = value[int(part)] if isinstance(value, list) else value[part]
            self.scene.values[name] = value
            if member == "token":
                secrets.remember("an opaque token", value)


class GatewayActor(Actor):
    async def reloads(self, change, *, to: str = "config.reloaded") -> None:
        """Gets a new configuration and SIGHUP, and says how it took it. Text is written as it is."""
        gateway, since = self.scene.gateway, len(self.scene.gateway.log)
        gateway.write(change if isinstance(change, str) else self.scene.world.config({**self.scene.config, **(change or {})}))
        gateway.signal(signals.SIGHUP)
        await gateway.logged({"event": to}, since)

    async def gets_file(self, name: str, *, text: str | None = None, copy: str | None = None, keys: list | None = None) -> None:
        """A file of its folder is replaced: by `text`, by a `copy` of one of the run's, or by a set of `keys`."""
        path = self.scene.gateway.folder / name
        if copy:
            shutil.copy(self.scene.world.folder / copy, path)
        else:
            path.write_text(tokens.key_set(*keys) if keys else text or "")

    async def refuses_to_start_with(self, change: dict, *, saying: str) -> None:
        """A gateway with this change to the usual configuration ends with 2 at once, and its complaint mentions `saying`."""
        gateway = await self.scene.world.fresh_gateway(change, start=False)
        (gateway.folder / "short.secret").write_text(secrets.remember("a short secret", "0123456789abcdef"))
        (gateway.folder / "short.secret").chmod(0o600)
        try:
            await gateway.start()
        except AssertionError:
            assert gateway.process and gateway.process.returncode == 2, gateway.process
            complaint = gateway.errors.decode()
            assert saying in complaint, complaint
            return
        await gateway.stop()
        raise AssertionError("it started")

    async def rests(self, seconds: float) -> None:
        """For so long it uses next to no processor time: nothing makes it turn in circles."""
        before = self.scene.gateway.cpu_seconds()
        await asyncio.sleep(seconds)
        used = self.scene.gateway.cpu_seconds() - before
        assert used < 0.2 * seconds, f"{used:.2f} s of processor time in {seconds} s"

    async def is_told_to_stop(self, _) -> None:
        """SIGTERM."""
        self.scene.gateway.signal(signals.SIGTERM)

    async def ends_with(self, status: int) -> None:
        """Its exit status."""
        check(await self.scene.gateway.ended(), status, "the gateway's exit status")

    async def restarts(self, _) -> None:
        """Ends by SIGTERM and starts again in the same folder."""
        check(await self.scene.gateway.stop(), 0, "the gateway's exit status")
        await self.scene.gateway.start()
        self.scene.since = 0

    async def presents(self, name: str, *, sni: str = "gw.example.test") -> None:
        """The certificate that a new TLS connection gets is the run's `name`.pem."""
        import ssl

        pem = (self.scene.world.folder / f"{name}.pem").read_text()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = await Client.connect(self.scene.gateway.addresses["127.0.0.1"], tls=context, name=sni)
        der = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        client.leave()
        assert der == ssl.PEM_cert_to_DER_cert(pem), f"not the certificate {name}"


    async def store_breaks(self, _) -> None:
        """The database is no longer where it was."""
        for path in self.scene.gateway.folder.glob("sallyport.db*"):
            path.rename(path.with_name(f"away-{path.name}"))

    async def store_mends(self, _) -> None:
        """The database is back."""
        for path in self.scene.gateway.folder.glob("away-*"):
            path.rename(path.with_name(path.name.removeprefix("away-")))

    async def store_locks(self, _) -> None:
        """Another process begins to write and does not come to an end."""
        self.writer = sqlite3.connect(self.scene.gateway.folder / "sallyport.db", isolation_level=None)
        self.writer.execute("BEGIN IMMEDIATE")

    async def store_unlocks(self, _) -> None:
        """It comes to an end."""
        self.writer.close()


class TokensActor(Actor):
    async def makes(self, wanted: dict) -> None:
        """Tokens under names for `$name`."""
        for name, description in wanted.items():
            self.scene.values[name] = self.scene.token(description)


class KeySourceActor(Actor):
    async def publishes(self, keys: list) -> None:
        """The names of the keys in its set from now on."""
        self.scene.world.key_source.keys = keys

    async def is_down(self, down: bool) -> None:
        """Whether it hangs up on everybody."""
        self.scene.world.key_source.down = down

    async def was_asked(self, times) -> None:
        """How often somebody came in this scenario."""
        check(self.scene.world.key_source.fetched, times, "fetches of the key set")

    async def is_asked(self, times: int) -> None:
        """Waits until somebody has come so many times."""
        source = self.scene.world.key_source
        await source.bell.until(lambda: source.fetched >= times, f"{times} fetches of the key set", 20)


class LogActor(Actor):
    async def act(self, step: dict) -> None:
        """A line of this scenario has all these fields; with `never`, none has."""
        gateway = self.scene.gateway
        if "never" in step:
            lines = [line for line in gateway.log[self.scene.since:] if matches(line, step["never"])]
            assert not lines, f"logged: {lines}"
        else:
            line = await gateway.logged({name: value for name, value in step.items() if name != "keeps"}, self.scene.since)
            for name, field in step.get("keeps", {}).items():
                self.scene.values[name] = line[field]


class MetricsActor(Actor):
    async def act(self, step: dict) -> None:
        """The metrics have these series with these values."""
        text = (await self.scene.gateway.admin("GET", "/metrics")).body.decode()
        series = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        for name, wanted in step.items():
            assert name in series, f"no {name} among {sorted(series)}"
            check(float(series[name]), wanted, name)


class Scene:
    """One playing of one scenario."""

    ACTORS = {"backend": BackendActor, "admin": AdminActor, "gateway": GatewayActor, "key_source": KeySourceActor,
              "log": LogActor, "metrics": MetricsActor, "tokens": TokensActor}

    def __init__(self, world: World, scenario: dict, row: dict):
        self.world, self.scenario = world, scenario
        self.values: dict = {
            "key_set_url": world.key_source.url,
            "long_head": "HTTP/1.1 101 Switching Protocols\r\nX-Leak: leak-1" + "x" * 200_000,
        } | row
        self.clients: list[Client] = []
        self.actors: dict[str, Actor] = {}
        self.seen: dict[int, int] = {}
        self.config: dict = {}
        self.since = 0
        self.began = time.time()
        self.gateway: Gateway

    def fill(self, value):
        """`value` with every $name replaced."""
        if isinstance(value, dict):
            return {self.fill(name): self.fill(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each) for each in value]
        if isinstance(value, str):
            if re.fullmatch(r"\$[a-z_]+", value) and value[1:] in self.values:
                return self.fill(self.values[value[1:]])
            return re.sub(r"\$\{([a-z_]+)\}", lambda found: str(self.values.get(found[1], found[0])), value)
        return value

    def token(self, wanted) -> str | None:
        """A token as described: text is one, an object changes the usual claims and may name the `key`, `header`, `alg`."""
        if wanted is None or isinstance(wanted, str):
            return wanted
        wanted = dict(wanted)
        how = {name: wanted.pop(name) for name in ("key", "header", "alg") if name in wanted}
        keep = wanted.pop("keeps", None)
        token = tokens.mint(**how, **wanted)
        if keep:
            self.values[keep] = token
            self.values[f"{keep}_hash"] = tokens.sha256(token)
        return token

    async def play(self) -> None:
        # The row's values may stand in the configuration, too.
        self.config = self.fill(self.scenario.get("config") or {})
        own = self.scenario.get("gateway") == "own"
        self.world.backend.play(self.fill(self.scenario.get("backend")))
        self.world.key_source.play(self.fill(self.scenario.get("key_source")))
        if self.scenario.get("gateway") != "none":
            self.gateway = await (self.world.fresh_gateway(self.config) if own else self.world.gateway(self.config))
            self.since = 0 if own else len(self.gateway.log)
        try:
            for number, step in enumerate(self.scenario["steps"], 1):
                (name, what), = step.items()
                actor = self.actors.setdefault(name, self.ACTORS.get(name, ClientActor)(self, name))
                try:
                    await actor.act(self.fill(what))
                except Exception as trouble:
                    raise StepFailed(number, step, trouble, self) from trouble
            await self._leave()
        finally:
            for client in self.clients:
                client.writer.transport.abort()
            if own and self.gateway.process and self.gateway.process.returncode is None:
                status = await self.gateway.stop()
                assert status == 0, f"the gateway ended with {status}: {self.gateway.errors.decode(errors='replace')[-1500:]}"

    async def _leave(self) -> None:
        """Every client goes; the gateway must then let go of every connection to the backend."""
        for client in self.clients:
            client.reset()
        await self.world.backend.all_ended()


class StepFailed(Exception):
    def __init__(self, number: int, step: dict, trouble: Exception, scene: Scene):
        gateway = getattr(scene, "gateway", None)
        lines = [json.dumps(line) for line in gateway.log[scene.since:][-8:]] if gateway else []
        trouble_text = str(trouble) or type(trouble).__name__
        super().__init__("\n".join([
            f"step {number}: {json.dumps(step)}", f"{type(trouble).__name__}: {trouble_text}",
            *(f"  log: {line}" for line in lines), gateway.errors.decode(errors="replace")[-2000:] if gateway else ""]))
