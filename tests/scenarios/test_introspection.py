"""Opaque tokens of an authorization server that others wrote (npm oidc-provider, tests/authserver): asked at the handshake, asked again
while the socket lives, revoked there by RFC 7009."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from harness import secrets, tokens
from harness.client import upgrade
from harness.world import World

SERVER = pathlib.Path(__file__).resolve().parents[1] / "authserver"


class AuthServer:
    """oidc-provider as a process. `url` is its issuer."""

    def __init__(self, secret: str, jwk: dict):
        self.secret = secrets.remember("the client's secret", secret)
        self.process = subprocess.Popen(["node", SERVER / "server.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env={"PATH": os.environ["PATH"]})
        self.process.stdin.write(json.dumps({"secret": secret, "jwk": jwk}))
        self.process.stdin.close()
        line = self.process.stdout.readline()
        assert line, "the authorization server did not start"
        self.url = json.loads(line)["issuer"]

    def post(self, path: str, body: bytes, client: str | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body)
        if client:
            pair = base64.b64encode(f"{client}:{self.secret}".encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.read()

    def token(self, subject: str = "alice", **more) -> str:
        body = json.dumps({"subject": subject, "audience": "chat", **more}).encode()
        return secrets.remember("an opaque token", self.post("/test/tokens", body).decode())

    def revoke(self, token: str) -> None:
        self.post("/token/revocation", urllib.parse.urlencode({"token": token}).encode(), client="web")

    def introspections(self) -> int:
        return int(self.post("/test/introspections", b""))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def server():
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            pytest.fail("npm is not installed; `make test` installs it")
        pytest.skip("npm is not installed")
    if not (SERVER / "node_modules/oidc-provider").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=SERVER, check=True)
    server = AuthServer(os.urandom(24).hex(), KEY.jwk)
    yield server
    server.stop()


KEY = tokens.Key("client-1", "ES256", ec.generate_private_key(ec.SECP256R1()))


def private_jwk() -> str:
    number = KEY.key.private_numbers().private_value
    return json.dumps(KEY.jwk | {"d": tokens.b64_int(number, 32)})


def ways(server: AuthServer, **more) -> dict:
    asked = {"url": f"{server.url}/token/introspection", "audience": ["chat"], "issuer": server.url, "cache": "1h"}
    return {"introspection": asked | {"client": {"id": "gateway", "secret_file": "client.secret"}} | more}


@pytest.fixture(scope="module")
def gateway(world: World, server: AuthServer):
    jwt = {"jwt": {"issuer": "main", "from": ["header"]}}
    again = {"recheck": {"every": "1s", "tolerate": "1s"}}
    like_chat = {"upstream": {"url": "$main"}, "origins": ["https://app.example.com"], "limits": world.base["routes"]["chat"]["limits"]}

    def route(path: str, way: dict, **more) -> dict:
        return like_chat | {"match": {"host": "gw.example.test", "path": path}, "authenticate": [jwt, way]} | more

    by_post = {"id": "gateway-post", "method": "client_secret_post", "secret_file": "client.secret"}
    by_key = {"id": "gateway-key", "method": "private_key_jwt", "key_file": "client.jwk", "assertion_audience": server.url}
    wrong = {"id": "gateway", "secret_file": "admin.token"}
    gateway = world.run(world.fresh_gateway({"routes": {
        "chat": {"authenticate": [jwt, ways(server)], **again},
        "post": route("/post", ways(server, client=by_post)),
        "key": route("/key", ways(server, client=by_key)),
        "wrong": route("/wrong", ways(server, client=wrong)),
        "mail": route("/mail", ways(server, audience=["mail"])),
        "web": route("/web", ways(server, audience=[], clients=["web"])),
    }}, start=False))
    for name, content in (("client.secret", server.secret), ("client.jwk", private_jwk())):
        (gateway.folder / name).write_text(content)
        (gateway.folder / name).chmod(0o600)
    world.run(gateway.start())
    yield gateway
    assert world.run(gateway.stop()) == 0


def bearer(token: str) -> dict:
    return {"Authorization": f"Bearer {token}"}


async def attempt(world: World, gateway, token: str, path: str = "/chat") -> int:
    client = await world.connect(gateway)
    client.write(upgrade(path, headers=bearer(token)))
    status = (await client.read_answer()).status
    client.reset()
    return status


def test_a_user_comes_and_is_logged_out(world: World, server: AuthServer, gateway):
    world.backend.play(None)
    token = server.token("alice")

    async def play():
        client = await (await world.connect(gateway)).open(upgrade("/chat", headers=bearer(token)))
        client.text("hello")
        assert await client.receive() == b"hello"
        arrival = await world.backend.arrival()
        assert arrival.header("x-sallyport-subject") == "alice" and arrival.header("authorization") is None
        bob = await (await world.connect(gateway)).open(upgrade("/chat", headers=bearer(server.token("bob"))))
        server.revoke(token)
        closed = await client.close_frame()
        assert (closed.code, closed.reason) == (4401, "credential revoked")
        # Asking again has corrected what was believed for an hour.
        assert await attempt(world, gateway, token) == 401
        bob.text("still here")
        assert await bob.receive() == b"still here"
        bob.reset()

    world.run(play())


def test_the_end_of_a_token_is_the_end_of_its_socket(world: World, server: AuthServer, gateway):
    world.backend.play(None)
    token = server.token("carol", seconds=3)

    async def play():
        client = await (await world.connect(gateway)).open(upgrade("/web", headers=bearer(token)))
        closed = await client.close_frame()
        assert (closed.code, closed.reason) == (4401, "credential expired")
        assert await attempt(world, gateway, token, "/web") == 401

    world.run(play())


@pytest.mark.parametrize("path", ["/post", "/key", "/web"])
def test_ways_to_say_who_asks(world: World, server: AuthServer, gateway, path):
    world.backend.play(None)
    assert world.run(attempt(world, gateway, server.token(), path)) == 101


def test_refused(world: World, server: AuthServer, gateway):
    world.backend.play(None)
    of_nobody = json.loads(server.post("/token", b"grant_type=client_credentials", client="web"))["access_token"]
    secrets.remember("a client's token", of_nobody)
    for token, path, status in (("nobody-knows-this", "/chat", 401), (server.token(), "/mail", 401), (of_nobody, "/web", 401),
                                (server.token(), "/wrong", 503), (tokens.mint(exp="-60"), "/chat", 401)):
        assert world.run(attempt(world, gateway, token, path)) == status, path
    assert not world.backend.arrivals


def test_each_token_is_asked_about_once(world: World, server: AuthServer, gateway):
    """A thousand clients that come back at once cost the server one question for each token; a JWT costs it none."""
    world.backend.play(None)
    token = server.token()
    before = server.introspections()

    async def play():
        many = [attempt(world, gateway, token, "/post") for _ in range(40)] + [attempt(world, gateway, tokens.mint(), "/post")]
        assert set(await asyncio.gather(*many)) == {101}

    world.run(play())
    assert server.introspections() - before <= world.base["threads"]


def test_a_server_that_is_gone_lets_nobody_in(world: World):
    world.backend.play(None)
    other = AuthServer(os.urandom(24).hex(), KEY.jwk)
    known, unknown = other.token(), other.token()

    async def play():
        gateway = await world.fresh_gateway({"routes": {"chat": {
            "authenticate": [ways(other)], "recheck": {"every": "1s", "tolerate": "1s"}}}}, start=False)
        (gateway.folder / "client.secret").write_text(other.secret)
        (gateway.folder / "client.secret").chmod(0o600)
        await gateway.start()
        client = await (await world.connect(gateway)).open(upgrade("/chat", headers=bearer(known)))
        other.stop()
        assert await attempt(world, gateway, unknown) == 503
        # What is not known any more is not believed for ever.
        assert (await client.close_frame()).code == 1013
        assert await gateway.stop() == 0

    world.run(play())
