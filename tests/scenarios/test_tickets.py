"""Tickets: any credential that a route takes buys a single use of the query or the subprotocol, for those who can send nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import subprocess

import pytest

from harness import chromium, secrets, tokens
from harness.client import upgrade
from harness.gateway import Answer
from harness.http2 import Http2Client, request
from harness.world import World

APP = "https://app.example.com"
CONFIG = {
    "listen": [{"address": "127.0.0.1:0", "http2": True, "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}},
               {"address": "127.0.0.2:0"}],
    "routes": {"chat": {"authenticate": [
        {"jwt": {"issuer": "main", "from": ["header", "subprotocol", "cookie:access_token"]}},
        {"opaque": {"from": ["header", "subprotocol"]}},
        {"ticket": {}},
    ]}},
}


@pytest.fixture
def play(world: World):
    def run(scene, config: dict | None = None, *, own: bool = False):
        world.backend.play(None)

        async def whole():
            gateway = await (world.fresh_gateway if own else world.gateway)(config or CONFIG)
            try:
                await scene(gateway)
            finally:
                if own and gateway.process and gateway.process.returncode is None:
                    assert await gateway.stop() == 0, gateway.errors.decode(errors="replace")[-2000:]

        world.run(whole())

    return run


def post(path: str, body: bytes | dict | None = None, *, method: str = "POST", headers: dict | None = None, host: str = "gw.example.test") -> bytes:
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | (headers or {})
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def ask(world: World, gateway, *what, quiet: bool = True, **how) -> Answer:
    """One request and its answer. `quiet` answers hold no secret."""
    client = await world.connect(gateway)
    client.write(post(*what, **how))
    raw = await client.reader.read(-1)
    client.leave()
    if quiet:
        secrets.overhear("an answer of an endpoint", raw)
    return Answer.parse(raw)


def bearer(**claims) -> dict:
    return {"Authorization": f"Bearer {tokens.mint(**claims)}"}


async def ticket_for(world: World, gateway, *, origin: str | None = APP, headers: dict | None = None, body: dict | None = None, **claims) -> str:
    headers = (headers or bearer(**claims)) | ({"Origin": origin} if origin else {})
    answer = await ask(world, gateway, "/.sallyport/ticket", {"path": "/chat"} | (body or {}), headers=headers, quiet=False)
    assert answer.status == 200, answer.raw
    assert 25 <= answer.json["expires_in"] <= 30 and answer.header("cache-control") == "no-store"
    return secrets.remember("a ticket", answer.json["ticket"])


async def try_with(world: World, gateway, ticket: str, *, origin: str | None = APP, path: str = "/chat"):
    client = await world.connect(gateway)
    client.write(upgrade(f"{path}?a=b&ticket={ticket}", headers=[("Origin", origin)] if origin else []))
    answer = await client.read_answer()
    return client, answer.status


def test_a_ticket_opens_one_socket(world: World, play):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway, sub="alice", sid="s-1")
        await gateway.logged({"event": "ticket.issued", "subject": "alice", "mechanism": "jwt", "route": "chat"})
        client, status = await try_with(world, gateway, ticket)
        assert status == 101
        client.text("hello")
        assert await client.receive() == b"hello"
        arrival = await world.backend.arrival()
        assert arrival.head.startswith(b"GET /chat?a=b HTTP/1.1\r\n"), "the backend does not see the ticket"
        assert arrival.header("x-sallyport-subject") == "alice"
        await gateway.logged({"event": "connection.accepted", "subject": "alice", "mechanism": "jwt"})
        again, status = await try_with(world, gateway, ticket)
        assert status == 401
        await gateway.logged({"event": "connection.refused", "reason": "credential.replayed"})
        client.reset()

    play(scene)


def test_as_a_subprotocol_and_inside_the_socket(world: World, play):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway, sub="alice")
        client = await world.connect(gateway)
        await client.open(upgrade("/chat", headers={"Origin": APP, "Sec-WebSocket-Protocol": f"sallyport.v1, bearer.{ticket}"}))
        arrival = await world.backend.arrival()
        assert ticket.encode() not in arrival.head
        # The identity is that of a JWT, so it is renewed by one.
        client.text(json.dumps({"$sallyport": {"op": "refresh", "token": tokens.mint(sub="alice")}}))
        await gateway.logged({"event": "connection.refreshed", "subject": "alice"})
        client.reset()

    play(scene)


@pytest.mark.parametrize("what, origin, path", [
    ("another Origin", "https://a.tenant.example.com", "/chat"),
    ("no Origin", None, "/chat"),
    ("an Origin that is not allowed", "https://evil.example", "/chat"),
])
def test_a_ticket_in_the_wrong_place(world: World, play, what, origin, path):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway)
        _, status = await try_with(world, gateway, ticket, origin=origin, path=path)
        assert status in (401, 403)
        if origin != "https://evil.example":  # who is refused before any credential is looked at uses none up
            assert (await try_with(world, gateway, ticket))[1] == 401

    play(scene)


def test_a_ticket_of_another_route(world: World, play):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway)
        _, status = await try_with(world, gateway, ticket, path="/hmac")
        assert status == 401
        assert (await try_with(world, gateway, ticket))[1] == 401

    play(scene, CONFIG | {"routes": CONFIG["routes"] | {"hmac": {"authenticate": [{"ticket": {}}]}}})


def test_who_gets_no_ticket(world: World, play):
    async def scene(gateway):
        good = bearer()
        at = "/.sallyport/ticket"

        async def refused(status, reason, body=None, headers=good, **how):
            answer = await ask(world, gateway, at, {"path": "/chat"} if body is None else body, headers=headers, **how)
            assert (answer.status, answer.json["reason"]) == (status, reason), answer.raw
            assert answer.header("cache-control") == "no-store"
            return answer

        assert "Bearer" in (await refused(401, "credential.missing", headers={})).header("www-authenticate")
        await refused(401, "credential.invalid", headers=bearer(exp=1))
        await refused(401, "credential.invalid", headers={"Authorization": "Bearer nonsense"})
        await refused(403, "origin.not_allowed", headers=good | {"Origin": "https://evil.example"})
        await refused(403, "origin.missing", headers={"Cookie": f"access_token={tokens.mint()}"})
        await refused(400, "credential.ambiguous", headers=good | {"Origin": APP, "Cookie": f"access_token={tokens.mint()}"})
        await refused(404, "route.not_found", {"path": "/nowhere"})
        await refused(404, "request.not_found", {"path": "/hmac"})
        await refused(400, "request.invalid", {})
        await refused(400, "request.invalid", {"path": 1})
        await refused(400, "request.invalid", {"path": "/a/../chat"})
        await refused(400, "request.invalid", b"{", headers=good | {"Content-Type": "application/json"})
        await refused(400, "request.invalid", b"[]", headers=good | {"Content-Type": "application/json"})
        await refused(415, "message.unsupported", b"{}", headers=good | {"Content-Type": "text/plain"})
        await refused(403, "origin.not_allowed", {"path": "/chat", "origin": "https://evil.example"})
        await refused(403, "origin.not_allowed", {"path": "/chat", "origin": "https://a.tenant.example.com"}, headers=good | {"Origin": APP})
        assert (await ask(world, gateway, at, method="GET")).status == 405
        ticket = await ticket_for(world, gateway, headers=good)
        # A ticket buys no other ticket.
        await refused(401, "credential.missing", headers={"Origin": APP, "Authorization": f"Bearer {ticket}"})
        answer = await ask(world, gateway, f"{at}?ticket={ticket}", {"path": "/chat"}, headers={"Origin": APP})
        assert answer.status == 401
        assert (await try_with(world, gateway, ticket))[1] == 101

    play(scene)


def test_bodies_have_a_size_and_a_deadline(world: World, play):
    async def scene(gateway):
        good = bearer() | {"Content-Type": "application/json"}
        room = 16 * 1024 - len(json.dumps({"path": "/chat", "x": ""}))
        assert (await ask(world, gateway, "/.sallyport/ticket", {"path": "/chat", "x": "x" * room}, headers=good, quiet=False)).status == 200
        big = json.dumps({"path": "/chat", "x": "x" * (room + 10)}).encode()
        assert (await ask(world, gateway, "/.sallyport/ticket", big, headers=good)).status == 413
        slow = await world.connect(gateway)
        slow.write(post("/.sallyport/ticket", b'{"path":"/chat"}', headers=good)[:-3])
        assert Answer.parse(await slow.reader.read(-1)).status == 408
        waiting = await world.connect(gateway)
        whole = post("/.sallyport/ticket", b'{"path":"/chat"}', headers=good | {"Expect": "100-continue"})
        head, _, body = whole.partition(b"\r\n\r\n")
        waiting.write(head + b"\r\n\r\n")
        assert await waiting.reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        waiting.write(body)
        assert Answer.parse(await waiting.reader.read(-1)).status == 200
        assert (await ask(world, gateway, "/chat", b"x", method="GET")).status == 413

    play(scene, CONFIG | {"limits": {"header_timeout": "1s"}})


def test_whoever_asks_too_often_waits(world: World, play):
    """The rate of handshakes is that of requests beside them."""
    async def scene(gateway):
        answers = [await ask(world, gateway, "/.sallyport/ticket", {"path": "/chat"}, headers=bearer(), quiet=False) for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].header("retry-after")

    play(scene, CONFIG | {"limits": {"handshakes_per_ip": "3/h"}}, own=True)


def test_over_http2(world: World, play):
    async def scene(gateway):
        client = await Http2Client.connect(gateway.addresses["127.0.0.1"], world.authority.file)

        async def asked(body: bytes, **more):
            fields = request("/.sallyport/ticket", method="POST", protocol=None, token=tokens.mint(sub="carol"),
                             more=[("origin", APP), ("content-type", "application/json"), *more.items()])
            stream = client.open(fields)
            for at in range(0, len(body), 5000):
                client.h2.send_data(stream.number, body[at:at + 5000], end_stream=at + 5000 >= len(body))
            client.flush()
            status = await client.answered(stream)
            await client.bell.until(lambda: stream.ended, "the end of the answer")
            return status, json.loads(stream.data), stream

        status, body, stream = await asked(b'{"path":"/chat"}')
        assert status == 200 and stream.headers["access-control-allow-origin"] == APP
        _, opened = await try_with(world, gateway, secrets.remember("a ticket", body["ticket"]))
        assert opened == 101
        status, body, _ = await asked(b'{"path":"/chat","x":"' + b"x" * 20_000 + b'"}')
        assert (status, body["reason"]) == (413, "message.too_big")
        await client.close()

    play(scene)


def test_pages_may_ask_from_the_origins_of_the_routes(world: World, play):
    async def scene(gateway):
        at = "/.sallyport/ticket"
        asking = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
        answer = await ask(world, gateway, at, method="OPTIONS", headers=asking)
        assert answer.status == 204
        assert answer.header("access-control-allow-origin") == APP and answer.header("access-control-allow-credentials") == "true"
        assert "POST" in answer.header("access-control-allow-methods") and "authorization" in answer.header("access-control-allow-headers")
        assert answer.header("vary") == "Origin" and answer.header("content-length") is None
        answer = await ask(world, gateway, at, method="OPTIONS", headers=asking | {"Origin": "https://evil.example"})
        assert answer.status == 403 and answer.header("access-control-allow-origin") is None
        answer = await ask(world, gateway, at, {"path": "/chat"}, headers=bearer() | {"Origin": "https://evil.example"})
        assert answer.status == 403 and answer.header("access-control-allow-origin") is None
        answer = await ask(world, gateway, at, {"path": "/chat"}, headers={"Origin": APP})
        assert answer.status == 401 and answer.header("access-control-allow-origin") == APP, "a page can read why"
        answer = await ask(world, gateway, "/.sallyport/jwks.json", method="OPTIONS", headers=asking)
        assert answer.status == 405
        answer = await ask(world, gateway, "/.sallyport/jwks.json", method="GET", headers={"Origin": "https://evil.example"})
        assert answer.header("access-control-allow-origin") == "*" and answer.header("access-control-allow-credentials") is None

    play(scene)


def test_an_application_asks_for_its_user(world: World, play):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway, origin=None, body={"origin": APP}, sub="dora")
        assert (await try_with(world, gateway, ticket, origin=None))[1] == 401
        ticket = await ticket_for(world, gateway, origin=None, body={"origin": APP}, sub="dora")
        assert (await try_with(world, gateway, ticket))[1] == 101

    play(scene)


def test_what_is_revoked_takes_its_tickets_along(world: World, play):
    async def scene(gateway):
        unused = await ticket_for(world, gateway, sub="erin", sid="s-1")
        used = await ticket_for(world, gateway, sub="erin", sid="s-1")
        other = await ticket_for(world, gateway, sub="frank", sid="s-2")
        client, status = await try_with(world, gateway, used)
        assert status == 101
        assert (await gateway.admin("POST", "/v1/revocations", {"sid": "s-1"})).status == 200
        assert (await client.close_frame()).code == 4401
        assert (await try_with(world, gateway, unused))[1] == 401
        answer = await ask(world, gateway, "/.sallyport/ticket", {"path": "/chat"}, headers=bearer(sub="erin", sid="s-1"))
        assert answer.status == 401
        assert (await try_with(world, gateway, other))[1] == 101

    play(scene, own=True)


def php_session(world: World, subject: str) -> tuple[dict, str, pathlib.Path]:
    """A session of PHP as it lies in a file: the mechanism's settings, the cookie, the file that a logout removes."""
    folder = world.folder / "sessions-of-tickets"
    folder.mkdir(exist_ok=True)
    name = secrets.remember("a session's id", os.urandom(13).hex())
    file = folder / f"sess_{name}"
    file.write_text(f'user_id|s:{len(subject)}:"{subject}";')
    return {"session": {"framework": "php", "store": {"files": {"path": str(folder)}}}}, f"PHPSESSID={name}", file


def test_a_logout_ends_what_the_session_s_ticket_has_opened(world: World, play):
    settings, cookie, file = php_session(world, "gwen")

    async def scene(gateway):
        ticket = await ticket_for(world, gateway, headers={"Cookie": cookie})
        client, status = await try_with(world, gateway, ticket)
        assert status == 101
        await gateway.logged({"event": "connection.accepted", "subject": "gwen", "mechanism": "session"})
        file.unlink()
        assert (await client.close_frame()).code == 4401
        answer = await ask(world, gateway, "/.sallyport/ticket", {"path": "/chat"}, headers={"Cookie": cookie, "Origin": APP})
        assert answer.status == 401

    play(scene, CONFIG | {"routes": {"chat": {"authenticate": [settings, {"ticket": {}}], "recheck": {"every": "200ms"}}}})


def test_two_instances_take_a_ticket_once(world: World, play):
    async def scene(_):
        store = {"store": {"sqlite": {"path": str(world.folder / "tickets.db")}}}
        here, there = await world.fresh_gateway(CONFIG | store), await world.fresh_gateway(CONFIG | store)
        for _ in range(5):
            ticket = await ticket_for(world, here)
            answers = await asyncio.gather(*(try_with(world, gateway, ticket) for gateway in (here, there, here, there)))
            assert sorted(status for _, status in answers) == [101, 401, 401, 401]
            for client, _ in answers:
                client.reset()
        assert await here.stop() == 0 and await there.stop() == 0

    play(scene)


def test_in_memory_too(world: World, play):
    async def scene(gateway):
        ticket = await ticket_for(world, gateway)
        answers = await asyncio.gather(*(try_with(world, gateway, ticket) for _ in range(8)))
        assert sorted(status for _, status in answers) == [101] + [401] * 7

    play(scene, CONFIG | {"store": {"sqlite": None, "memory": {}}})


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl(world: World, play, version):
    async def scene(gateway):
        address, port = gateway.addresses["127.0.0.1"]
        command = ["curl", "-sS", version, "--cacert", str(world.authority.file), "--resolve", f"gw.example.test:{port}:{address}",
                   "-H", f"Authorization: Bearer {tokens.mint(sub='curl')}", "--json", '{"path": "/chat"}', "-w", "\n%{http_version} %{http_code}",
                   f"https://gw.example.test:{port}/.sallyport/ticket"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        body, last = done.stdout.rsplit("\n", 1)
        assert last == ("2 200" if version == "--http2" else "1.1 200"), done
        ticket = secrets.remember("a ticket", json.loads(body)["ticket"])
        assert (await try_with(world, gateway, ticket, origin=None))[1] == 101

    play(scene)


def test_a_page_in_chromium(world: World, play, tmp_path):
    """A page of another origin fetches a ticket with its token, and once more with a cookie, and opens its sockets with them."""
    chromium.must_be_here()

    async def scene(gateway):
        address, port = gateway.addresses["127.0.0.1"]
        script = """(async (host, token) => {
          const ask = async (headers) => {
            const answer = await fetch(`https://${host}/.sallyport/ticket`, {
              method: "POST", credentials: "include", headers: {"Content-Type": "application/json", ...headers}, body: JSON.stringify({path: "/chat"})});
            return [answer.status, await answer.json()];
          };
          const open = (ticket) => new Promise((done) => {
            const socket = new WebSocket(`wss://${host}/chat?ticket=${ticket}`);
            socket.onopen = () => socket.send("hello");
            socket.onmessage = (event) => { done(event.data); socket.close(); };
            socket.onclose = (event) => done(event.code);
          });
          const [status, {ticket}] = await ask({Authorization: `Bearer ${token}`});
          const first = await open(ticket);
          const second = await open(ticket);
          const [refused, {reason}] = await ask({});
          return [status, first, second, refused, reason];
        })(%s, %s)""" % (json.dumps(f"gw.example.test:{port}"), json.dumps(tokens.mint(sub="page")))
        heard = await chromium.result_of(script, origin=APP, hosts={"gw.example.test": address, "app.example.com": "127.0.0.1"}, profile=tmp_path)
        assert heard == [200, "hello", 1006, 401, "credential.missing"]
        line = await gateway.logged({"event": "connection.accepted", "subject": "page"})
        assert line["origin"] == APP and line["mechanism"] == "jwt"

    play(scene)
