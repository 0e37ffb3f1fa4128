"""When a client says who it is: inside a socket that was accepted already, by its first message or through another request. Nothing
of it reaches a backend before, and who says nothing takes nothing from others."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import time

import pytest

from harness import frames, secrets, tokens
from harness.client import Client, upgrade
from harness.frames import BINARY, PING, PONG, TEXT
from harness.gateway import Answer
from harness.waiting import PATIENCE
from harness.world import World

APP = ("Origin", "https://app.example.com")
CONTROL = ("Sec-WebSocket-Protocol", "sallyport.v1")


def first_message(protocol: str = "control", subprotocols: list[str] | None = None, limits: dict | None = None, **waiting) -> dict:
    route = {"timing": "first_message", "waiting": {"protocol": protocol} | waiting}
    if subprotocols:
        route["subprotocols"] = subprotocols
    return {"routes": {"chat": route}} | ({"limits": limits} if limits else {})


OUT_OF_BAND = {"routes": {"chat": {"timing": "out_of_band"}}}


def authenticate(token: str) -> str:
    return json.dumps({"$sallyport": {"op": "authenticate", "token": token}})


@pytest.fixture
def play(world: World):
    """Runs a coroutine with a gateway of this configuration and a way to open sockets; closes what it opened."""

    def run(scene, config: dict, *, own: bool = False, backend: dict | None = None):
        world.backend.play(backend)
        opened: list[Client] = []

        async def whole():
            gateway = await (world.fresh_gateway if own else world.gateway)(config)

            async def connect(*headers, path: str = "/chat", source: str | None = None) -> Client:
                opened.append(await world.connect(gateway, plain=True, source=source))
                await opened[-1].open(upgrade(path, headers=[APP, *headers]))
                return opened[-1]

            try:
                await scene(gateway, connect)
            finally:
                for client in opened:
                    client.reset()
                if own:
                    assert await gateway.stop() == 0, gateway.errors.decode(errors="replace")[-2000:]

        world.run(whole())

    return run


async def post(world: World, gateway, path: str, body: dict, *headers: tuple[str, str]) -> Answer:
    client = await world.connect(gateway)
    payload = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: gw.example.test", "Content-Type: application/json", f"Content-Length: {len(payload)}"]
    client.write("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode() + payload)
    return await client.read_answer()


async def never_dialled(world: World, client: Client, code: int, reason: str) -> None:
    closing = await client.close_frame()
    assert (closing.code, closing.reason) == (code, reason)
    assert not world.backend.arrivals, "the backend was dialled"


class TestFirstMessage:
    def test_the_backend_is_dialled_when_the_client_is_known(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            assert client.answer.header("sec-websocket-protocol") == "sallyport.v1"
            client.listens = True
            assert not world.backend.arrivals
            client.text(authenticate(tokens.mint(sub="first")))
            client.text("sent before the answer")
            assert (await client.notice("ready"))["subject"] == "first"
            assert await client.receive() == b"sent before the answer"
            arrival = await world.backend.arrival()
            assert arrival.header("x-sallyport-subject") == "first"
            assert b"$sallyport" not in arrival.raw

        play(scene, first_message())

    def test_in_many_pieces(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.listens = True
            data = frames.encode(TEXT, authenticate(tokens.mint(sub="slow")).encode()) + frames.encode(TEXT, b"behind it")
            for byte in range(0, len(data), 40):
                client.write(data[byte:byte + 40])
                await asyncio.sleep(0)
            assert (await client.notice("ready"))["subject"] == "slow"
            assert await client.receive() == b"behind it"

        play(scene, first_message())

    @pytest.mark.parametrize("message, code, reason", [
        ("hello", 4400, "control message not understood"),
        (authenticate("rubbish"), 4401, "credential not accepted"),
        (authenticate(""), 4400, "control message not understood"),
        (json.dumps({"$sallyport": {"op": "refresh", "token": "x"}}), 4400, "control message not understood"),
        ("x" * 20_000, 1009, "message too big"),
    ])
    def test_refused(self, world: World, play, message, code, reason):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.text(message)
            client.text("and a message for the backend")
            await never_dialled(world, client, code, reason)

        play(scene, first_message())

    @pytest.mark.parametrize("change, reason", [
        ({"exp": "-60"}, "credential.expired"), ({"aud": "shop"}, "credential.invalid"), ({"iss": "https://evil.test"}, "credential.invalid")])
    def test_a_bad_token_is_refused_like_any_other(self, world: World, play, change, reason):
        async def scene(gateway, connect):
            since = len(gateway.log)
            client = await connect(CONTROL)
            client.text(authenticate(tokens.mint(**change)))
            await never_dialled(world, client, 4401, "credential not accepted")
            await gateway.logged({"event": "connection.refused", "reason": reason}, since)

        play(scene, first_message())

    def test_a_credential_in_the_handshake_does_not_count(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL, ("Authorization", f"Bearer {tokens.mint()}"))
            client.text("hello")
            await never_dialled(world, client, 4400, "control message not understood")

        play(scene, first_message())

    def test_who_says_nothing_is_closed(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.send(PING, b"alive")
            assert (await client.frame()).opcode == PONG
            await never_dialled(world, client, 4408, "no credential in time")

        play(scene, first_message(timeout="300ms"))

    def test_who_leaves_is_gone(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.close(3001, "bye")
            assert (await client.close_frame()).code == 3001
            since = len(gateway.log)
            other = await connect(CONTROL)
            other.reset()
            await gateway.logged({"event": "connection.refused", "reason": "peer.gone"}, since)
            assert not world.backend.arrivals

        play(scene, first_message())

    def test_pings_without_end_are_no_credential(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            for number in range(20):
                client.send(PONG, b"x")
            await never_dialled(world, client, 4429, "too many messages")

        play(scene, first_message())

    def test_a_foreign_origin_is_refused_before_anything(self, world: World, play):
        async def scene(gateway, connect):
            client = await world.connect(gateway, plain=True)
            client.write(upgrade("/chat", headers=[("Origin", "https://evil.test"), CONTROL]))
            assert (await client.read_answer()).status == 403

        play(scene, first_message())

    def test_a_backend_that_is_down(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.text(authenticate(tokens.mint()))
            assert (await client.close_frame()).code == 1014

        play(scene, {"routes": {"chat": first_message()["routes"]["chat"] | {"upstream": {"url": "ws://127.0.0.1:1/"}}}})

    def test_refresh_and_expiry_go_on_as_ever(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(CONTROL)
            client.listens = True
            client.text(authenticate(tokens.mint(sub="renewed", exp="+3")))
            await client.notice("ready")
            client.text(json.dumps({"$sallyport": {"op": "refresh", "token": tokens.mint(sub="renewed")}}))
            await client.notice("refreshed")
            other = await connect(CONTROL)
            other.text(authenticate(tokens.mint(sub="short", exp="+2")))
            closing = await other.close_frame()
            assert (closing.code, closing.reason) == (4401, "credential expired")

        play(scene, first_message())


def mqtt_connect(user: str | None, password: str | None, level: int = 4) -> bytes:
    def field(text: str) -> bytes:
        return struct.pack(">H", len(text.encode())) + text.encode()

    flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = field("MQTT") + bytes([level, flags, 0, 60]) + (b"\0" if level == 5 else b"") + field("device-1")
    for text in (user, password):
        body += field(text) if text is not None else b""
    length, number = b"", len(body)
    while True:
        number, low = divmod(number, 128)
        length += bytes([low | (0x80 if number else 0)])
        if not number:
            return b"\x10" + length + body


OPENINGS = {
    "json": (TEXT, lambda token: json.dumps({"hello": 1, "token": token}), b'{"hello":1}'),
    "graphql-ws": (TEXT, lambda token: json.dumps({"type": "connection_init", "payload": {"token": f"Bearer {token}", "x": [1]}}),
                   b'{"type":"connection_init","payload":{"x":[1]}}'),
    "stomp": (TEXT, lambda token: f"CONNECT\naccept-version:1.2\nAuthorization:Bearer {token}\nhost:example\n\n\0",
              b"CONNECT\naccept-version:1.2\nhost:example\n\n\0"),
    "mqtt": (BINARY, lambda token: mqtt_connect("mqtt", token), mqtt_connect("mqtt", None)),
}


class TestOtherProtocols:
    """The credential stands in the protocol's own first message; the backend gets that message without it."""

    @pytest.mark.parametrize("protocol", OPENINGS)
    def test_good(self, world: World, play, protocol):
        opcode, write, bare = OPENINGS[protocol]

        async def scene(gateway, connect):
            client = await connect(("Sec-WebSocket-Protocol", "other, theirs, sallyport.v1"))
            assert client.answer.header("sec-websocket-protocol") == "theirs"
            token = tokens.mint(sub=protocol)
            client.send(opcode, write(token))
            client.send(opcode, b"behind")
            arrival = await world.backend.arrival()
            assert arrival.header("sec-websocket-protocol") == "theirs"
            assert arrival.header("x-sallyport-subject") == protocol
            client.listens = True
            assert [await client.receive(), await client.receive()] == [bare, b"behind"]
            assert token.encode() not in arrival.raw

        play(scene, first_message(protocol, subprotocols=["theirs"]), backend={"subprotocol": "theirs"})

    def test_a_user_name_that_the_credential_does_not_prove(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            client.send(BINARY, mqtt_connect("bob", tokens.mint(sub="alice")))
            await never_dialled(world, client, 4401, "credential not accepted")

        play(scene, first_message("mqtt"))

    @pytest.mark.parametrize("protocol", OPENINGS)
    def test_bad_and_absent(self, world: World, play, protocol):
        opcode, write, bare = OPENINGS[protocol]

        async def scene(gateway, connect):
            for payload, code in ((write("rubbish"), 4401), (bare, 4401), (b"\xc3\xa4", 4400)):
                client = await connect()
                client.send(opcode, payload)
                assert (await client.close_frame()).code == code, payload
                assert not world.backend.arrivals

        play(scene, first_message(protocol))

    def test_socketio_is_greeted_in_place_of_the_backend(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect()
            greeting = await client.receive()
            assert greeting.startswith(b'0{"sid":')
            client.text('40{"token":"' + tokens.mint(sub="io") + '","room":"a"}')
            assert await client.receive() == b'40{"room":"a"}', "the backend's own greeting was dropped, its echo was not"

        play(scene, first_message("socketio"), backend={"then_sends": frames.encode(TEXT, b'0{"sid":"theirs"}', mask=False).hex()})

    def test_a_backend_that_chooses_another_subprotocol(self, world: World, play):
        async def scene(gateway, connect):
            client = await connect(("Sec-WebSocket-Protocol", "theirs"))
            client.text(json.dumps({"token": tokens.mint()}))
            assert (await client.close_frame()).code == 1011

        play(scene, first_message("json", subprotocols=["theirs"]), backend={"subprotocol": None})


class TestOutOfBand:
    async def waiting(self, connect) -> tuple[Client, str]:
        client = await connect(CONTROL)
        client.listens = True
        return client, (await client.notice("bind"))["code"]

    def test_vouched_for(self, world: World, play):
        async def scene(gateway, connect):
            client, code = await self.waiting(connect)
            answer = await post(world, gateway, "/.sallyport/bind", {"path": "/chat", "code": code}, APP,
                                ("Authorization", f"Bearer {tokens.mint(sub='bound')}"))
            assert answer.status == 204, answer.body
            assert (await client.notice("ready"))["subject"] == "bound"
            client.text("hello")
            assert await client.receive() == b"hello"
            again = await post(world, gateway, "/.sallyport/bind", {"path": "/chat", "code": code}, APP,
                               ("Authorization", f"Bearer {tokens.mint(sub='bound')}"))
            assert again.status == 404

        play(scene, OUT_OF_BAND)

    def test_not_vouched_for(self, world: World, play):
        async def scene(gateway, connect):
            client, code = await self.waiting(connect)
            good = ("Authorization", f"Bearer {tokens.mint()}")
            body = {"path": "/chat", "code": code}
            for status, sent, headers in (
                    (401, body, [APP]), (401, body, [APP, ("Authorization", "Bearer rubbish")]), (404, body | {"code": "x" * 22}, [APP, good]),
                    (403, body, [("Origin", "https://evil.test"), good]), (400, {"path": "/chat"}, [APP, good]),
                    (400, body | {"path": "/hmac"}, [APP, good])):
                assert (await post(world, gateway, "/.sallyport/bind", sent, *headers)).status == status, (status, sent)
            assert not world.backend.arrivals
            client.text("impatient")
            closing = await client.close_frame()
            assert (closing.code, closing.reason) == (4401, "credential required")
            assert not world.backend.arrivals

        play(scene, OUT_OF_BAND)

    def test_nobody_vouches(self, world: World, play):
        async def scene(gateway, connect):
            client, _ = await self.waiting(connect)
            await never_dialled(world, client, 4408, "no credential in time")

        play(scene, {"routes": {"chat": {"timing": "out_of_band", "waiting": {"timeout": "300ms"}}}})

    def test_whom_a_revocation_names_cannot_be_vouched_for(self, world: World, play):
        async def scene(gateway, connect):
            client, code = await self.waiting(connect)
            token = tokens.mint(sub="revoked-binder")
            await gateway.admin("POST", "/v1/revocations", {"sub": "revoked-binder"})
            answer = await post(world, gateway, "/.sallyport/bind", {"path": "/chat", "code": code}, APP, ("Authorization", f"Bearer {token}"))
            assert answer.status == 401
            assert not world.backend.arrivals

        play(scene, OUT_OF_BAND)


class TestCrowd:
    def test_who_has_waited_the_longest_makes_room(self, world: World, play):
        async def scene(gateway, connect):
            silent = [await connect(CONTROL, source=f"127.0.9.{n}") for n in range(1, 7)]
            good = await connect(CONTROL, source="127.0.9.99")
            good.listens = True
            good.text(authenticate(tokens.mint(sub="good")))
            await good.notice("ready")
            closing = await silent[0].close_frame()
            assert (closing.code, closing.reason) == (1013, "try again later")

        play(scene, first_message(limits={"waiting": 4, "waiting_per_ip": 100}) | {"threads": 1}, own=True)

    def test_one_address_has_its_share(self, world: World, play):
        async def scene(gateway, connect):
            for _ in range(3):
                await connect(CONTROL)
            refused = await world.connect(gateway, plain=True)
            refused.write(upgrade("/chat", headers=[APP, CONTROL]))
            assert (await refused.read_answer()).status == 503
            other = await connect(CONTROL, source="127.0.9.1")
            other.listens = True
            other.text(authenticate(tokens.mint()))
            await other.notice("ready")

        play(scene, first_message(limits={"waiting_per_ip": 3}), own=True)


class TestAskedAgain:
    def test_a_key_that_is_withdrawn_ends_what_it_signed(self, world: World, play):
        async def scene(gateway, connect):
            doomed = await connect(("Authorization", f"Bearer {tokens.mint('es256')}"))
            other = await connect(("Authorization", f"Bearer {tokens.mint('ed25519')}"))
            (gateway.folder / "keys.jwks").write_text(tokens.key_set("ed25519"))
            gateway.signal(signal.SIGHUP)
            closing = await doomed.close_frame()
            assert (closing.code, closing.reason) == (4401, "credential revoked")
            other.text("still here")
            assert await other.receive() == b"still here"

        play(scene, {"routes": {"chat": {"recheck": {"every": "200ms"}}}}, own=True)


EXCHANGE = {"routes": {"chat": {"exchange": {"lifetime": "1h"}}}}


class TestExchange:
    def test_a_short_token_opens_a_long_connection(self, world: World, play):
        async def scene(gateway, connect):
            ends = time.time() + 2
            short = ("Authorization", f"Bearer {tokens.mint(sub='longlived', exp='+2')}")
            client = await connect(CONTROL, short)
            client.listens = True
            ready = await client.notice("ready")
            assert ready["expires_at"] > ends + 3000
            session = secrets.remember("a session token", ready["session"])
            bare = await connect(short)  # has no control channel to be told on: lives by its own token
            assert (await bare.close_frame()).reason == "credential expired"
            await gateway.past(ends + 1)
            client.text("still here")
            assert await client.receive() == b"still here"
            again = await connect(CONTROL, ("Authorization", f"Bearer {session}"))
            again.listens = True
            ready = await again.notice("ready")
            assert ready["subject"] == "longlived" and "session" not in ready
            assert (await world.backend.arrival()).header("authorization") is None
            await gateway.admin("POST", "/v1/revocations", {"sub": "longlived"})
            for live in (client, again):
                assert (await live.close_frame()).reason == "credential revoked"

        play(scene, EXCHANGE)

    def test_a_session_is_good_on_its_own_route_only(self, world: World, play):
        config = {"routes": {"chat": {"exchange": {"lifetime": "1h"}},
                             "second": {"match": {"host": "gw.example.test", "path": "/second"}, "upstream": {"url": "$main"},
                                        "authenticate": [{"opaque": {}}]}}}

        async def scene(gateway, connect):
            client = await connect(CONTROL, ("Authorization", f"Bearer {tokens.mint(sub='partner')}"))
            client.listens = True
            session = secrets.remember("a session token", (await client.notice("ready"))["session"])
            elsewhere = await world.connect(gateway, plain=True)
            elsewhere.write(upgrade("/second", headers=[("Authorization", f"Bearer {session}")]))
            assert (await elsewhere.read_answer()).status == 401
            # What was issued before, and by whom, is not forgotten in the exchange.
            revoked = {"sub": "partner", "issuer": tokens.ISSUER, "issued_before": "now"}
            assert (await gateway.admin("POST", "/v1/revocations", revoked)).status == 200
            assert (await client.close_frame()).reason == "credential revoked"

        play(scene, config)

    def test_the_backend_never_gets_our_own_cookie(self, world: World, play):
        async def scene(gateway, connect):
            secret = secrets.remember("a refresh token", "spr_" + "x" * 43)
            await connect(("Authorization", f"Bearer {tokens.mint()}"), ("Cookie", f"a=b; __Host-sallyport-refresh={secret}"))
            assert (await world.backend.arrival()).header("cookie") == "a=b"

        play(scene, {})

    def test_whom_a_revocation_names_gets_no_session(self, world: World, play):
        async def scene(gateway, connect):
            token = tokens.mint(sub="gone", jti="gone-1")
            assert (await gateway.admin("POST", "/v1/revocations", {"jti": "gone-1"})).status == 200
            client = await world.connect(gateway, plain=True)
            client.write(upgrade("/chat", headers=[APP, CONTROL, ("Authorization", f"Bearer {token}")]))
            assert (await client.read_answer()).status == 401

        play(scene, EXCHANGE)


class TestRefreshByRequest:
    def test_a_live_connection_lives_on(self, world: World, play):
        async def scene(gateway, connect):
            ends = time.time() + 3
            client = await connect(CONTROL, ("Authorization", f"Bearer {tokens.mint(sub='patient', exp='+3')}"))
            client.listens = True
            connection = (await client.notice("ready"))["connection"]
            body = {"path": "/chat", "connection": connection}
            for status, sent, headers in (
                    (401, body, [APP]), (401, body, [APP, ("Authorization", f"Bearer {tokens.mint(sub='mallory')}")]),
                    (403, body, [("Origin", "https://evil.test"), ("Authorization", f"Bearer {tokens.mint(sub='patient')}")]),
                    (404, body | {"connection": "x" * 22}, [APP, ("Authorization", f"Bearer {tokens.mint(sub='patient')}")]),
                    (404, body | {"path": "/hmac"}, [APP, ("Authorization", f"Bearer {tokens.mint(sub='patient')}")]),
                    (400, {"path": "/chat"}, [APP])):
                assert (await post(world, gateway, "/.sallyport/refresh", sent, *headers)).status == status, (status, sent)
            answer = await post(world, gateway, "/.sallyport/refresh", body, APP, ("Authorization", f"Bearer {tokens.mint(sub='patient')}"))
            assert answer.status == 200 and answer.json["expires_at"] > ends + 60
            assert (await client.notice("refreshed"))["expires_at"] == answer.json["expires_at"]
            await gateway.past(ends + 1)
            client.text("still here")
            assert await client.receive() == b"still here"

        play(scene, {})
