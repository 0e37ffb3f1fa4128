"""WebSockets as streams of HTTP/2 (RFC 8441): the same path and the same checks as over HTTP/1.1, and what only HTTP/2 makes possible.
What each limit is for is told in docs/decisions/0012-http2.md."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from harness import chromium, frames, http2, tokens
from harness.client import upgrade
from harness.http2 import Http2Client, frame, request
from harness.world import World  # noqa: E402

CONFIG = {"listen": [{"address": "127.0.0.1:0", "http2": True, "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}},
                     {"address": "127.0.0.2:0"}]}


def configured(**limits) -> dict:
    return CONFIG | {"limits": limits}


async def metric(gateway, name: str) -> float:
    text = (await gateway.admin("GET", "/metrics")).body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    assert found, f"no {name} in\n{text}"
    return float(found[1])


@pytest.fixture
def play(world: World):
    """Runs a coroutine with a gateway that speaks HTTP/2 and a way to connect to it; closes what it opened."""

    def run(scene, config: dict | None = None, *, own: bool = False, backend: dict | None = None):
        world.backend.play(backend)
        opened: list[Http2Client] = []

        async def whole():
            gateway = await (world.fresh_gateway if own else world.gateway)(config or CONFIG)

            async def connect(**how) -> Http2Client:
                opened.append(await Http2Client.connect(gateway.addresses["127.0.0.1"], world.authority.file, **how))
                return opened[-1]

            try:
                await scene(gateway, connect)
            finally:
                for client in opened:
                    await client.close()
                if own and gateway.process and gateway.process.returncode is None:
                    assert await gateway.stop() == 0, gateway.errors.decode(errors="replace")[-2000:]

        world.run(whole())

    return run


class TestGood:
    def test_several_sockets_in_one_connection(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            assert client.settings[8] == 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL"
            sockets = [await client.opened(request(token=tokens.mint(sub=f"user{n}"))) for n in range(5)]
            for round_number in range(3):
                for number, socket in enumerate(sockets):
                    await client.echoes(socket, f"{round_number} of {number}")
            line = await gateway.logged({"event": "connection.accepted", "subject": "user4"})
            assert line["transport"] == "h2"
            arrival = await world.backend.arrival()
            assert arrival.head.startswith(b"GET /chat HTTP/1.1\r\n") and arrival.header("sec-websocket-key")
            assert arrival.header("x-forwarded-proto") == "https" and arrival.header("authorization") is None
            client.send(sockets[0], frames.CLOSE, frames.close_payload(3001, "bye"))
            assert (await client.frame(sockets[0])).code == 3001
            await client.bell.until(lambda: sockets[0].ended, "the end of the stream")
            await client.echoes(sockets[1], "still there")
            assert await metric(gateway, 'sallyport_connections_accepted_by_transport_total{transport="h2"}') >= 5

        play(scene)

    def test_big_messages_both_ways(self, play):
        async def scene(gateway, connect):
            client = await connect()
            socket = await client.opened(request(token=tokens.mint()))
            for size in (0, 1, 125, 126, 16383, 65535, 65536, 200_000):
                payload, sent = bytes(size), 0
                data = frames.encode(frames.BINARY, payload)
                while sent < len(data):
                    room = min(client.h2.local_flow_control_window(socket.number), client.h2.max_outbound_frame_size, len(data) - sent)
                    if room == 0:
                        await client.bell.until(lambda: client.h2.local_flow_control_window(socket.number) > 0, "a WINDOW_UPDATE")
                        continue
                    client.h2.send_data(socket.number, data[sent:sent + room])
                    client.flush()
                    sent += room
                assert (await client.frame(socket)).payload == payload

        play(scene)

    def test_subprotocol_and_cookies(self, play):
        async def scene(gateway, connect):
            client = await connect()
            token = tokens.mint()
            socket = await client.opened(request(more=[("cookie", "a=b"), ("cookie", f"access_token={token}"), ("origin", "https://app.example.com"),
                                                       ("sec-websocket-protocol", "chat.v1, sallyport.v1")]))
            assert socket.headers["sec-websocket-protocol"] == "chat.v1"

        play(scene, backend={"subprotocol": "chat.v1"})

    def test_compression_is_agreed_on(self, play):
        async def scene(gateway, connect):
            client = await connect()
            offers = [("sec-websocket-extensions", "permessage-deflate")]
            socket = await client.opened(request(token=tokens.mint(), more=offers))
            assert socket.headers["sec-websocket-extensions"].startswith("permessage-deflate")
            await client.echoes(socket, "not compressed, which is always allowed")

        play(scene, CONFIG | {"routes": {"chat": {"compression": {"client": True}}}})

    def test_key_set(self, play):
        async def scene(gateway, connect):
            client = await connect()
            answer = client.open(request("/.sallyport/jwks.json", method="GET", protocol=None), end=True)
            assert await client.answered(answer) == 200
            await client.bell.until(lambda: answer.ended, "the end of the answer")
            assert json.loads(answer.data)["keys"] and answer.headers["content-type"] == "application/jwk-set+json"

        play(scene)

    def test_http1_still_works_and_is_all_that_others_get(self, world: World, play):
        async def scene(gateway, connect):
            client = await world.connect(gateway)
            await client.open(upgrade("/chat", headers={"Authorization": f"Bearer {tokens.mint(sub='old')}"}))
            assert (await gateway.logged({"event": "connection.accepted", "subject": "old"}))["transport"] == "http/1.1"
            client.leave()
            plain = await world.gateway()
            with pytest.raises(OSError):
                await Http2Client.connect(plain.addresses["127.0.0.1"], world.authority.file)

        play(scene)

    def test_revocation_takes_one_and_leaves_its_neighbours(self, play):
        async def scene(gateway, connect):
            client = await connect()
            doomed = await client.opened(request(token=tokens.mint(sub="doomed-h2")))
            others = [await client.opened(request(token=tokens.mint(sub=f"other{n}"))) for n in range(3)]
            await gateway.admin("POST", "/v1/revocations", {"sub": "doomed-h2"})
            closing = await client.frame(doomed)
            assert (closing.code, closing.reason) == (4401, "credential revoked")
            for other in others:
                await client.echoes(other, "unharmed")

        play(scene)

    def test_end_of_the_stream_behind_the_close_frame(self, play):
        """As Chromium does it; the answer must still come."""
        async def scene(gateway, connect):
            client = await connect()
            socket = await client.opened(request(token=tokens.mint()))
            client.h2.send_data(socket.number, frames.encode(frames.CLOSE, frames.close_payload(3001, "bye")), end_stream=True)
            client.flush()
            assert (await client.frame(socket)).code == 3001
            await client.bell.until(lambda: socket.ended, "the end of the stream")
            assert socket.reset is None

        play(scene)

    def test_drain_says_goaway(self, play):
        async def scene(gateway, connect):
            client, idle = await connect(), await connect()
            socket = await client.opened(request(token=tokens.mint()))
            stopping = asyncio.ensure_future(gateway.stop())
            assert await client.went_away() == 0
            assert await idle.went_away() == 0
            assert (await client.frame(socket)).code == 1012
            client.send(socket, frames.CLOSE, frames.close_payload(1012))
            assert await stopping == 0

        play(scene, own=True)


class TestRefused:
    @pytest.mark.parametrize("fields, status, reason", [
        (request(), 401, "credential.missing"),
        (lambda: request(token=tokens.mint(exp="-60")), 401, "credential.expired"),
        (lambda: request(token=tokens.mint(), more=[("origin", "https://evil.test")]), 403, "origin.not_allowed"),
        (lambda: request("/nowhere", token=tokens.mint()), 404, "route.not_found"),
        (lambda: request("/chat/../admin", token=tokens.mint()), 400, "http.malformed"),
        (request(protocol="connect-udp"), 501, "http.unsupported"),
        (request(method="GET", protocol=None), 426, "http.upgrade_required"),
        (request(method="POST", protocol=None), 405, "http.method_not_allowed"),
        (request(more=[("sec-websocket-version", "12")]), 426, "http.upgrade_required"),
        (request(more=[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]), 400, "http.malformed"),
        (request(more=[("x_user", "a")]), 400, "http.malformed"),
        (request(more=[("host", "other.example.test")]), 400, "http.malformed"),
        (request(scheme="http"), 400, "http.malformed"),
        (request(more=[("x-big", "a" * 17000)]), 431, "http.headers_too_large"),
        (request(more=[(f"x-{n}", "a") for n in range(101)]), 431, "http.headers_too_large"),
    ], ids=["no token", "expired", "evil origin", "no route", "dot segments", "other protocol", "GET", "POST", "version", "key", "underscore",
            "other host", "scheme http", "long header", "many headers"])
    def test_answered(self, world: World, play, fields, status, reason):
        async def scene(gateway, connect):
            client = await connect()
            since = len(gateway.log)
            stream = client.open(fields() if callable(fields) else fields)
            assert await client.answered(stream) == status
            await gateway.logged({"event": "connection.refused", "reason": reason}, since)
            assert "upgrade" not in stream.headers and "connection" not in stream.headers
            assert not world.backend.arrivals
            assert await client.alive(), "the neighbours must not suffer"

        play(scene)

    @pytest.mark.parametrize("fields", [
        request(more=[("connection", "upgrade")]),
        request(more=[("upgrade", "websocket")]),
        request(more=[("transfer-encoding", "chunked")]),
        request(more=[(":path", "/late")]),
        request(path=None),
        request(scheme=None),
        request(authority=None),
        request(more=[("X-Upper", "a")]),
        request(more=[(":unknown", "a")]),
        request(more=[("x-a", "b\nc: d")]),
        [(":path", "/chat"), *request()],
        request(method="GET"),
    ], ids=["connection", "upgrade", "transfer-encoding", "late pseudo", "no path", "no scheme", "no authority", "upper case", "unknown pseudo",
            "line feed", "path twice", "GET with protocol"])
    def test_malformed_is_reset_or_answered_400(self, world: World, play, fields):
        async def scene(gateway, connect):
            client = await connect()
            stream = client.open(fields)
            status = await client.answered(stream)
            assert status == 400 or (status is None and await client.was_reset(stream) == http2.PROTOCOL_ERROR), (status, stream.reset)
            assert not world.backend.arrivals
            assert await client.alive()

        play(scene)

    def test_data_before_the_answer(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            number = client.h2.get_next_available_stream_id()
            stream = client.streams[number] = http2.Stream(number)
            client.h2.send_headers(number, request(token=tokens.mint()))
            client.h2.send_data(number, frames.encode(frames.TEXT, b"too early"))
            client.flush()
            assert await client.was_reset(stream) == http2.PROTOCOL_ERROR
            assert not world.backend.arrivals
            assert await client.alive()

        play(scene)

    def test_end_with_the_request(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            assert await client.answered(client.open(request(token=tokens.mint()), end=True)) == 400
            assert not world.backend.arrivals

        play(scene)

    def test_readable_refusal(self, play):
        async def scene(gateway, connect):
            client = await connect()
            stream = await client.opened(request(token=tokens.mint(exp="-60")))
            closing = await client.frame(stream)
            assert (closing.code, closing.reason) == (4401, "credential not accepted")

        play(scene, CONFIG | {"routes": {"chat": {"refusal": "close"}}})


class TestAttacks:
    def test_rapid_reset(self, world: World, play):
        """CVE-2023-44487."""
        async def scene(gateway, connect):
            client = await connect()
            token = tokens.mint()
            for _ in range(40):
                stream = client.open(request(token=token))
                client.h2.reset_stream(stream.number, 8)
            client.flush()
            assert await client.went_away() == http2.ENHANCE_YOUR_CALM
            assert client.goaway_data == b"limit.http2_resets"
            await gateway.logged({"event": "http2.closed", "reason": "limit.http2_resets"})
            assert await metric(gateway, 'sallyport_http2_connections_closed_total{reason="limit.http2_resets"}') == 1
            again = await connect()
            await again.echoes(await again.opened(request(token=tokens.mint())), "good neighbour")

        play(scene, configured(http2={"resets": "30/m"}), own=True)

    def test_made_to_reset(self, play):
        """CVE-2025-8671: the client makes the gateway reset its streams."""
        async def scene(gateway, connect):
            client = await connect()
            for _ in range(40):
                client.open(request(more=[("connection", "x")]))
            assert await client.went_away() == http2.ENHANCE_YOUR_CALM

        play(scene, configured(http2={"resets": "30/m"}), own=True)

    @pytest.mark.parametrize("flood", [
        frame(http2.PING, 0, 0, b"12345678"), frame(http2.SETTINGS, 0, 0), frame(http2.PRIORITY, 0, 1, b"\0\0\0\0\x10"),
        frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1")],
        ids=["PING", "SETTINGS", "PRIORITY", "WINDOW_UPDATE"])
    def test_frames_that_carry_nothing(self, play, flood):
        async def scene(gateway, connect):
            client = await connect()
            client.raw(flood * 200)
            assert await client.went_away() == http2.ENHANCE_YOUR_CALM
            assert client.goaway_data == b"limit.http2_frames"

        play(scene, configured(http2={"empty_frames": "100/m"}))

    def test_empty_data(self, play):
        async def scene(gateway, connect):
            client = await connect()
            stream = await client.opened(request(token=tokens.mint()))
            client.raw(frame(http2.DATA, 0, stream.number) * 200)
            assert await client.went_away() == http2.ENHANCE_YOUR_CALM

        play(scene, configured(http2={"empty_frames": "100/m"}))

    def test_continuation_flood(self, play):
        """CVE-2024-28182."""
        async def scene(gateway, connect):
            client = await connect()
            client.open_raw(b"", 1, flags=0)
            client.raw(frame(http2.CONTINUATION, 0, 1) * 100)
            assert await client.went_away() == http2.ENHANCE_YOUR_CALM
            await gateway.logged({"event": "http2.closed", "reason": "limit.http2_frames"})

        play(scene)

    def test_header_bomb(self, world: World, play):
        """One byte each for a field of the dynamic table, many times over."""
        async def scene(gateway, connect):
            client = await connect()
            head = b"\x40\x01x" + b"\x7f\xb1\x1e" + b"a" * 4016  # into the table: x: aaa...
            client.open_raw(head + b"\xbe" * 12000, 1)
            assert await client.answered(client.streams[1]) is None
            assert not world.backend.arrivals
            assert await metric(gateway, "sallyport_http2_resets_total") >= 1
            before = gateway.memory()
            for number in range(3, 43, 2):
                client.open_raw(b"\xbe" * 16000, number)
            await client.bell.until(lambda: client.streams[41].status or client.streams[41].reset is not None or client.ended, "an answer")
            assert gateway.memory() - before < 16 << 20

        play(scene, own=True)

    def test_too_many_streams(self, play):
        async def scene(gateway, connect):
            client = await connect()
            assert client.settings[3] == 4
            for n in range(4):
                await client.opened(request(token=tokens.mint(sub=f"s{n}")))
            client.h2.remote_settings[3] = 100
            client.h2.remote_settings.acknowledge()
            client.open(request(token=tokens.mint()))
            assert await client.went_away() == http2.PROTOCOL_ERROR

        play(scene, configured(http2={"streams": 4}))

    def test_silence(self, play):
        async def scene(gateway, connect):
            client = await connect()
            assert await client.went_away() == 0
            assert client.goaway_data == b"http2.idle"
            slow = await connect()
            slow.open_raw(b"\x82", 1, flags=0)  # a head that never ends is as good as none
            assert await slow.went_away() == 0

        play(scene, configured(http2={"idle_timeout": "200ms"}))

    def test_a_refused_field_is_not_logged(self, play):
        async def scene(gateway, connect):
            secret = tokens.mint(sub="careless")
            client = await connect()
            stream = client.open(request(more=[("authorization", f"Bearer {secret} ")]))
            await client.bell.until(lambda: stream.status or stream.reset is not None, "a refusal")
            client.raw(frame(http2.DATA, 0, 0, b"x"))
            assert await client.went_away() == http2.PROTOCOL_ERROR
            closed = await gateway.logged({"event": "http2.closed", "reason": "http2.malformed"})
            assert closed["detail"] and secret[:16] not in json.dumps(gateway.log)

        play(scene, own=True)

    def test_a_connection_without_streams_is_a_strangers(self, play):
        """It holds the place of its socket again, as before its first stream was admitted."""
        async def scene(gateway, connect):
            client = await connect()
            stream = await client.opened(request(token=tokens.mint(sub="comes-and-goes")))
            assert await metric(gateway, "sallyport_connections_pending") == 0
            client.h2.reset_stream(stream.number, 8)
            client.flush()
            await gateway.logged({"event": "connection.closed", "subject": "comes-and-goes"})
            assert await metric(gateway, "sallyport_connections_pending") == 1
            await client.echoes(await client.opened(request(token=tokens.mint(sub="again"))), "welcome back")
            assert await metric(gateway, "sallyport_connections_pending") == 0

        play(scene, own=True)

    def test_a_client_that_gives_up_is_not_its_backends_fault(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            stream = client.open(request(token=tokens.mint(sub="impatient")))
            await world.backend.arrival()
            client.h2.reset_stream(stream.number, 8)
            client.flush()
            assert (await gateway.logged({"event": "connection.refused"}))["reason"] == "peer.gone"

        play(scene, own=True, backend={"silent": True})

    def test_a_socket_over_the_handshake_rate_gets_no_streams(self, play):
        async def scene(gateway, connect):
            within = [await connect() for _ in range(2)]
            assert await (await connect()).went_away() == 0
            assert [client.goaway for client in within] == [None, None]

        play(scene, configured(handshakes_per_ip="2/h"), own=True)

    def test_no_preface(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            client.raw(b"GET / HTTP/1.1\r\nHost: gw.example.test\r\n\r\n")
            assert await client.went_away() != 0

        play(scene)

    def test_a_stalled_stream_holds_up_nobody(self, world: World, play):
        """A client that gives one stream no room: nothing is kept for it beyond its share, its neighbour goes on, and its time ends."""
        async def scene(gateway, connect):
            client = await connect(takes=False)
            stalled = await client.opened(request(token=tokens.mint(sub="stalled")))
            lively = await client.opened(request(token=tokens.mint(sub="lively")))
            client.h2.increment_flow_control_window(1 << 24)
            client.h2.increment_flow_control_window(1 << 24, lively.number)
            client.flush()
            before = gateway.memory()
            message = frames.encode(frames.BINARY, bytes(60_000))
            for _ in range(2):  # what comes back fills the window of the stream, and a little more waits
                sent = 0
                while sent < len(message):
                    room = min(client.h2.local_flow_control_window(stalled.number), 16384, len(message) - sent)
                    if room == 0:
                        await client.bell.until(lambda: client.h2.local_flow_control_window(stalled.number) > 0, "room")
                        continue
                    client.h2.send_data(stalled.number, message[sent:sent + room])
                    client.flush()
                    sent += room
            for n in range(50):
                await client.echoes(lively, f"message {n}")
            assert gateway.memory() - before < 8 << 20
            await gateway.logged({"event": "connection.closed", "subject": "stalled", "reason": "peer.too_slow"})
            await client.echoes(lively, "after all")

        play(scene, configured(slow_consumer="1s"), own=True)

    def test_places_before_a_proof(self, world: World, play):
        """Streams that have proved nothing hold places like sockets, and the connection holds one of its own until one is admitted."""
        async def scene(gateway, connect):
            client = await connect()
            waiting = [client.open(request(token=tokens.mint(sub=f"waiting{n}"))) for n in range(2)]
            beyond = client.open(request(token=tokens.mint(sub="beyond")))
            assert await client.answered(beyond) is None and beyond.reset == http2.REFUSED_STREAM
            assert [(stream.status, stream.reset) for stream in waiting] == [(None, None)] * 2
            assert await metric(gateway, "sallyport_connections_pending") == 3
            world.key_source.open.set()
            assert [await client.answered(stream) for stream in waiting] == [200, 200]
            assert await metric(gateway, "sallyport_connections_pending") == 0
            await client.echoes(await client.opened(request(token=tokens.mint(sub="beyond"))), "once there is a place")

        world.key_source.play("waits")
        play(scene, configured(pending_per_ip=3) | {"issuers": {"main": {"keys": {"jwks_file": None, "jwks_url": "$key_set_url", "ca_file": "ca.pem"}}}},
             own=True)

    def test_rate_of_streams(self, play):
        async def scene(gateway, connect):
            client = await connect()
            streams = [client.open(request("/nowhere")) for _ in range(12)]
            answers = [await client.answered(stream) for stream in streams]
            assert answers.count(404) == 4 and answers.count(429) == 5, answers  # the socket itself was the first of five
            assert {stream.reset for stream, answer in zip(streams, answers) if answer is None} == {http2.REFUSED_STREAM}

        play(scene, configured(handshakes_per_ip="5/h"), own=True)


class TestChromium:
    def test_it_opens_its_sockets_on_the_connection_it_has(self, world: World, play, tmp_path):
        """Chromium speaks HTTP/1.1 for a first `wss`, and RFC 8441 where it has an HTTP/2 connection whose server offers it."""
        chromium.must_be_here()

        async def scene(gateway, connect):
            address, port = gateway.addresses["127.0.0.1"]
            names = [tokens.mint(sub=f"chromium{n}") for n in range(4)]
            script = """(async (host, tokens) => {
              await fetch(`https://${host}/.sallyport/jwks.json`, {mode: "no-cors", credentials: "include"});
              return Promise.all(tokens.map((token, n) => new Promise((done) => {
                const socket = new WebSocket(`wss://${host}/chat`, [`bearer.${token}`, "chat.v1"]);
                const heard = [];
                socket.onopen = () => { for (let i = 0; i < 3; ++i) socket.send(`${n}: ${i} ` + "€".repeat(30000)); };
                socket.onmessage = (event) => { heard.push(event.data.slice(0, 4)); if (heard.length == 3) socket.close(3001, "bye"); };
                socket.onclose = (event) => done([socket.protocol, heard, event.code, event.reason, event.wasClean]);
              })));
            })(%s, %s)""" % (json.dumps(f"gw.example.test:{port}"), json.dumps(names))
            heard = await chromium.result_of(script, origin="https://app.example.com", hosts={"gw.example.test": address, "app.example.com": "127.0.0.1"},
                                             profile=tmp_path)
            assert heard == [["chat.v1", [f"{n}: {i}" for i in range(3)], 3001, "bye", True] for n in range(4)]
            for n in range(4):
                line = await gateway.logged({"event": "connection.accepted", "subject": f"chromium{n}"})
                assert (line["transport"], line["origin"]) == ("h2", "https://app.example.com")
            assert await metric(gateway, "sallyport_http2_connections_total") <= 2
            assert await metric(gateway, 'sallyport_connections_accepted_by_transport_total{transport="h2"}') == 4

        play(scene, own=True, backend={"subprotocol": "chat.v1"})
