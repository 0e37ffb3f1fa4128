"""The token service: short access tokens, refresh tokens that are used once, and what ends them. An application logs its users in, or a
route's own credential does."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import time
import urllib.parse

import pytest

from harness import chromium, secrets, tokens
from harness.client import upgrade
from harness.gateway import BINARY, Answer
from harness.world import World
from test_tickets import APP, ask, php_session

CLIENT_SECRET = secrets.remember("a client's secret", os.urandom(24).hex())
SERVICE = {
    "issuer": "https://gw.example.test",
    "audience": ["chat"],
    "keys_file": "token-keys.jwks",
    "clients": [
        {"id": "app", "secret_file": "client.secret", "scopes": ["chat.read", "chat.write"], "names_users": True},
        {"id": "batch", "secret_file": "client.secret", "scopes": ["chat.read"]},
    ],
    "routes": ["chat", "site_login"],
}
CONFIG = {
    "listen": [{"address": "127.0.0.1:0", "http2": True, "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}},
               {"address": "127.0.0.2:0"}],
    "token_service": SERVICE,
    "routes": {
        "chat": {"authenticate": [{"jwt": {"issuer": "main", "from": ["header", "subprotocol", "cookie:access_token"]}}, {"opaque": {}}]},
        "own": {
            "match": {"host": "gw.example.test", "path": "/own"}, "upstream": {"url": "$main"}, "origins": [APP],
            "authenticate": [{"jwt": {"issuer": "token_service", "from": ["header", "subprotocol", "query:token"]}}],
            "refresh": {"in_band": True, "notice": "30s", "grace": "0s"},
        },
        # On the site of the page's own origin, where a browser sends it a cookie that is SameSite=Strict.
        "site_login": {
            "match": {"host": "gw.example.com", "path": "/chat"}, "upstream": {"url": "$main"}, "origins": [APP],
            "authenticate": [{"jwt": {"issuer": "main", "from": ["header"]}}],
        },
        "site_own": {
            "match": {"host": "gw.example.com", "path": "/own"}, "upstream": {"url": "$main"}, "origins": [APP],
            "authenticate": [{"jwt": {"issuer": "token_service", "from": ["subprotocol"]}}],
        },
    },
}


async def started(world: World, config: dict | None = None):
    gateway = await world.fresh_gateway(config or CONFIG, start=False)
    prepare(gateway.folder)
    return await gateway.start()


def prepare(folder) -> None:
    subprocess.run([str(BINARY), "keys", "new", "--out", str(folder / "token-keys.jwks")], check=True, capture_output=True)
    (folder / "client.secret").write_text(CLIENT_SECRET)
    (folder / "client.secret").chmod(0o600)


@pytest.fixture(scope="module")
def service(world: World):
    """One gateway for all who leave it as it was."""
    gateway = world.run(started(world))
    yield gateway
    assert world.run(gateway.stop()) == 0


def basic(client: str = "app", secret: str = CLIENT_SECRET) -> dict:
    return {"Authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


async def form(world: World, gateway, path: str, fields: dict, *, headers: dict | None = None, body: bytes | None = None) -> Answer:
    data = body if body is not None else urllib.parse.urlencode(fields).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {})
    answer = await ask(world, gateway, f"/.sallyport/{path}", data, headers=headers, quiet=False)
    assert answer.header("cache-control") == "no-store"
    if answer.body.startswith(b"{"):
        for name in ("access_token", "refresh_token"):
            if name in answer.json:
                secrets.remember(name, answer.json[name])
    return answer


async def login(world: World, gateway, **fields) -> dict:
    answer = await form(world, gateway, "token", {"grant_type": "urn:sallyport:grant:user", "subject": "alice"} | fields, headers=basic())
    assert answer.status == 200, answer.raw
    return answer.json


async def refresh(world: World, gateway, token: str, client: dict | None = None, **fields) -> Answer:
    return await form(world, gateway, "token", {"grant_type": "refresh_token", "refresh_token": token} | fields,
                      headers=basic() if client is None else client)


async def opened(world: World, gateway, token: str):
    client = await world.connect(gateway)
    await client.open(upgrade("/own", headers={"Authorization": f"Bearer {token}"}))
    return client


async def status_of(world: World, gateway, token: str) -> int:
    client = await world.connect(gateway)
    client.write(upgrade("/own", headers={"Authorization": f"Bearer {token}"}))
    status = (await client.read_answer()).status
    client.reset()
    return status


def claims_of(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_an_application_logs_its_user_in(world: World, service):
    world.backend.play(None)

    async def play():
        got = await login(world, service, scope="chat.read", roles="member admin", tenant="acme", amr="pwd otp", claims='{"device": "d-1"}')
        assert got["token_type"] == "Bearer" and got["expires_in"] == 600 and got["scope"] == "chat.read"
        claims = claims_of(got["access_token"])
        assert claims["iss"] == "https://gw.example.test" and claims["aud"] == ["chat"] and claims["sub"] == "alice"
        assert claims["exp"] - claims["iat"] == 600 and claims["roles"] == ["member", "admin"] and claims["device"] == "d-1"
        client = await opened(world, service, got["access_token"])
        client.text("hello")
        assert await client.receive() == b"hello"
        assert (await world.backend.arrival()).header("x-sallyport-subject") == "alice"
        line = await service.logged({"event": "connection.accepted", "subject": "alice", "mechanism": "jwt"})
        assert line["issuer"] == "https://gw.example.test"
        # Renewed inside the socket, by what the refresh token brings.
        fresh = await refresh(world, service, got["refresh_token"])
        assert fresh.status == 200 and fresh.json["scope"] == "chat.read" and fresh.json["refresh_token"] != got["refresh_token"]
        client.reset()
        fresh = await refresh(world, service, fresh.json["refresh_token"])
        assert claims_of(fresh.json["access_token"])["sid"] == claims["sid"]

    world.run(play())


def test_its_keys_are_published(world: World, service):
    async def play():
        answer = await ask(world, service, "/.sallyport/token/jwks.json", method="GET")
        assert answer.status == 200 and answer.header("content-type") == "application/jwk-set+json"
        assert [set(key) & {"d"} for key in answer.json["keys"]] == [set()]
        other = await ask(world, service, "/.sallyport/jwks.json", method="GET")
        assert other.json != answer.json, "the assertion has keys of its own"

    world.run(play())


def test_a_second_use_of_a_refresh_token_ends_everything(world: World, service):
    world.backend.play(None)

    async def play():
        got = await login(world, service, subject="bob")
        mallory = await refresh(world, service, got["refresh_token"])
        assert mallory.status == 200
        sockets = [await opened(world, service, token) for token in (got["access_token"], mallory.json["access_token"])]
        bystander = await opened(world, service, (await login(world, service, subject="bob"))["access_token"])
        before = time.monotonic()
        answer = await refresh(world, service, got["refresh_token"])
        assert (answer.status, answer.json) == (400, {"error": "invalid_grant"})
        for socket in sockets:
            assert (await socket.close_frame()).code == 4401
        assert time.monotonic() - before < 10
        await service.logged({"event": "connection.refused", "reason": "credential.replayed"})
        assert (await refresh(world, service, mallory.json["refresh_token"])).status == 400
        assert await status_of(world, service, mallory.json["access_token"]) == 401
        bystander.text("another login of the same user")
        assert await bystander.receive() == b"another login of the same user"
        bystander.reset()

    world.run(play())


def test_revocation(world: World, service):
    world.backend.play(None)

    async def play():
        # Of a refresh token: the login.
        got = await login(world, service, subject="carol")
        socket = await opened(world, service, got["access_token"])
        answer = await form(world, service, "token/revoke", {"token": got["refresh_token"], "token_type_hint": "refresh_token"}, headers=basic())
        assert (answer.status, answer.json) == (200, {})
        assert (await socket.close_frame()).code == 4401
        assert (await refresh(world, service, got["refresh_token"])).status == 400
        assert await status_of(world, service, got["access_token"]) == 401
        # Of an access token: itself alone, by whoever has it.
        got = await login(world, service, subject="carol")
        fresh = (await refresh(world, service, got["refresh_token"])).json
        socket, other = await opened(world, service, got["access_token"]), await opened(world, service, fresh["access_token"])
        assert (await form(world, service, "token/revoke", {"token": got["access_token"]})).status == 200
        assert (await socket.close_frame()).code == 4401
        other.text("still here")
        assert await other.receive() == b"still here"
        assert (await refresh(world, service, fresh["refresh_token"])).status == 200
        other.reset()
        # What is no token is as good as revoked; what is another client's stays.
        for nothing in ("spr_x", "eyJ.e30.x", "x"):
            assert (await form(world, service, "token/revoke", {"token": nothing})).status == 200
        got = await login(world, service)
        answer = await form(world, service, "token/revoke", {"token": got["refresh_token"]}, headers=basic("batch"))
        assert (answer.status, answer.json) == (400, {"error": "invalid_grant"})
        assert (await refresh(world, service, got["refresh_token"])).status == 200
        assert (await form(world, service, "token/revoke", {})).json == {"error": "invalid_request"}

    world.run(play())


def test_introspection(world: World, service):
    async def play():
        async def about(token: str, client: dict | None = None):
            answer = await form(world, service, "token/introspect", {"token": token}, headers=basic("batch") if client is None else client)
            return answer.status, answer.json

        got = await login(world, service, subject="dora", scope="chat.read")
        status, said = await about(got["access_token"])
        assert status == 200 and said["active"] is True and said["sub"] == "dora" and said["scope"] == "chat.read" and said["client_id"] == "app"
        assert said == said | {name: value for name, value in claims_of(got["access_token"]).items()}
        status, said = await about(got["refresh_token"])
        assert said["active"] is True and said["sub"] == "dora" and said["token_type"] == "refresh_token"
        issued = (await service.admin("POST", "/v1/tokens", {"sub": "robot", "ttl": "1h", "scopes": ["chat.read"]})).json
        secrets.remember("an opaque token", issued["token"])
        status, said = await about(issued["token"])
        assert said["active"] is True and said["sub"] == "robot" and said["scope"] == "chat.read"
        used = got["refresh_token"]
        assert (await refresh(world, service, used)).status == 200
        await form(world, service, "token/revoke", {"token": got["access_token"]})
        await service.logged({"event": "revocation.applied", "value": claims_of(got["access_token"])["jti"]})
        await service.admin("DELETE", f"/v1/tokens/{issued['id']}")
        for token in (got["access_token"], used, issued["token"], "spr_x", "spt_x", "x.y.z", tokens.mint()):
            assert await about(token) == (200, {"active": False})
        assert (await about(got["access_token"], {}))[0] == 401
        assert (await about(got["access_token"], basic(secret="wrong")))[0] == 401

    world.run(play())


def test_what_is_refused(world: World, service):
    async def play():
        user = {"grant_type": "urn:sallyport:grant:user", "subject": "alice"}

        async def refused(status, error, fields, headers=None, body=None):
            answer = await form(world, service, "token", fields, headers=basic() if headers is None else headers, body=body)
            assert (answer.status, answer.json) == (status, {"error": error}), answer.raw
            return answer

        await refused(400, "invalid_request", {})
        await refused(400, "unsupported_grant_type", {"grant_type": "password", "username": "a", "password": "b"})
        assert "Basic" in (await refused(401, "invalid_client", user, headers={})).header("www-authenticate")
        await refused(401, "invalid_client", user, headers=basic(secret="wrong"))
        await refused(401, "invalid_client", user, headers=basic("nobody"))
        await refused(401, "invalid_client", user | {"client_secret": CLIENT_SECRET, "client_id": "app"})
        await refused(401, "invalid_client", user | {"client_id": "batch"})
        await refused(401, "invalid_client", user | {"client_secret": CLIENT_SECRET}, headers={})
        await refused(401, "invalid_client", user, headers={"Authorization": "Basic !"})
        await refused(400, "unauthorized_client", user, headers=basic("batch"))
        await refused(400, "invalid_request", user | {"subject": ""})
        await refused(400, "invalid_request", user | {"subject": "alice\r\nX-Admin: 1"})
        await refused(400, "invalid_request", user | {"claims": "[]"})
        await refused(400, "invalid_request", user | {"claims": "{"})
        await refused(400, "invalid_scope", user | {"scope": "chat.read admin"})
        await refused(400, "invalid_request", {"grant_type": "refresh_token"})
        await refused(400, "invalid_grant", {"grant_type": "refresh_token", "refresh_token": "spr_x"})
        got = await login(world, service)
        await refused(400, "invalid_grant", {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]}, headers=basic("batch"))
        await refused(400, "invalid_grant", {"grant_type": "refresh_token", "refresh_token": got["refresh_token"]}, headers={})
        await refused(400, "invalid_scope", {"grant_type": "refresh_token", "refresh_token": got["refresh_token"], "scope": "admin"})
        assert (await refresh(world, service, got["refresh_token"])).status == 200, "none of that used it up"
        for body in (b"grant_type=a&grant_type=b", b"a=%", b"a=\xff"):
            answer = await form(world, service, "token", {}, headers=basic(), body=body)
            assert (answer.status, answer.json["reason"]) == (400, "request.invalid")
        answer = await form(world, service, "token", {}, headers=basic() | {"Content-Type": "application/json"}, body=b"{}")
        assert answer.status == 415
        answer = await ask(world, service, "/.sallyport/token", method="GET")
        assert answer.status == 405

    world.run(play())


def test_an_application_for_itself(world: World, service):
    world.backend.play(None)

    async def play():
        for fields, headers in (({}, basic("batch")), ({"client_id": "batch", "client_secret": CLIENT_SECRET}, {})):
            got = await form(world, service, "token", {"grant_type": "client_credentials"} | fields, headers=headers)
            assert got.status == 200 and "refresh_token" not in got.json and got.json["scope"] == "chat.read"
            assert claims_of(got.json["access_token"])["sub"] == "batch"
            (await opened(world, service, got.json["access_token"])).reset()

    world.run(play())


def test_by_the_credential_of_a_route(world: World, service):
    """A user who has proved by a route's credential who they are gets tokens for as long as that credential is good."""
    world.backend.play(None)

    async def play():
        fields = {"grant_type": "urn:sallyport:grant:route", "path": "/chat"}
        brief = {"Authorization": f"Bearer {tokens.mint(sub='erin', sid='s-7', exp=int(time.time()) + 300)}", "Origin": APP}
        answer = await form(world, service, "token", fields, headers=brief)
        assert answer.status == 200 and answer.json["expires_in"] <= 300 and "refresh_token" not in answer.json
        assert answer.header("access-control-allow-origin") == APP
        assert claims_of(answer.json["access_token"])["origin_iss"] == "https://id.example.test"
        assert claims_of(answer.json["access_token"])["sub"] == "erin" and claims_of(answer.json["access_token"])["sid"] == "s-7"
        long = {"Authorization": f"Bearer {tokens.mint(sub='erin', sid='s-8', exp=int(time.time()) + 7200)}", "Origin": APP}
        got = (await form(world, service, "token", fields, headers=long)).json
        socket = await opened(world, service, got["access_token"])
        assert (await form(world, service, "token", fields | {"path": "/own"}, headers=long)).json["error"] == "unauthorized_client"
        assert (await form(world, service, "token", fields, headers={"Origin": APP})).status == 401
        assert (await form(world, service, "token", fields, headers=long | {"Origin": "https://evil.example"})).status == 403
        # The credential is revoked: what was derived from it ends, and is not refreshed.
        await service.admin("POST", "/v1/revocations", {"sid": "s-8"})
        assert (await socket.close_frame()).code == 4401
        answer = await refresh(world, service, got["refresh_token"], client={})
        assert answer.json == {"error": "invalid_grant"}

    world.run(play())


def test_a_session_brings_access_tokens_only(world: World):
    """Its logout is seen by asking for the session, and that is done whenever the next token is asked for."""
    world.backend.play(None)
    settings, cookie, file = php_session(world, "hugo")
    login_route = {"match": {"host": "gw.example.test", "path": "/login"}, "upstream": {"url": "$main"}, "origins": [APP], "authenticate": [settings]}

    async def play():
        gateway = await started(world, CONFIG | {"token_service": SERVICE | {"routes": ["login"]}, "routes": CONFIG["routes"] | {"login": login_route}})
        fields, user = {"grant_type": "urn:sallyport:grant:route", "path": "/login"}, {"Cookie": cookie, "Origin": APP}
        for _ in range(2):
            answer = await form(world, gateway, "token", fields, headers=user)
            assert answer.status == 200 and "refresh_token" not in answer.json
        assert await status_of(world, gateway, answer.json["access_token"]) == 101
        assert (await form(world, gateway, "token", fields, headers={"Cookie": cookie})).status == 403
        file.unlink()
        assert (await form(world, gateway, "token", fields, headers=user)).status == 401
        assert await gateway.stop() == 0

    world.run(play())


def test_a_refresh_token_that_no_page_can_read(world: World, service):
    async def play():
        fields = {"grant_type": "urn:sallyport:grant:route", "path": "/chat", "keep": "cookie"}
        user = {"Authorization": f"Bearer {tokens.mint(sub='fay', exp=int(time.time()) + 7200)}", "Origin": APP}
        answer = await form(world, service, "token", fields, headers=user)
        assert "refresh_token" not in answer.json

        def cookie_of(answer) -> str:
            name, _, rest = answer.header("set-cookie").partition("=")
            value, *attributes = [part.strip() for part in rest.split(";")]
            assert name == "__Host-sallyport-refresh"
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes)
            return secrets.remember("a refresh cookie", value) if value else value

        cookie = cookie_of(answer)
        again = {"grant_type": "refresh_token"}
        assert (await form(world, service, "token", again, headers={"Cookie": f"__Host-sallyport-refresh={cookie}"})).status == 403
        evil = {"Cookie": f"__Host-sallyport-refresh={cookie}", "Origin": "https://evil.example"}
        assert (await form(world, service, "token", again, headers=evil)).status == 403
        answer = await form(world, service, "token", again, headers={"Cookie": f"__Host-sallyport-refresh={cookie}", "Origin": APP})
        assert answer.status == 200 and "refresh_token" not in answer.json and answer.json["access_token"]
        cookie = cookie_of(answer)
        answer = await form(world, service, "token/revoke", {}, headers={"Cookie": f"__Host-sallyport-refresh={cookie}", "Origin": APP})
        assert answer.status == 200 and cookie_of(answer) == ""
        answer = await form(world, service, "token", again, headers={"Cookie": f"__Host-sallyport-refresh={cookie}", "Origin": APP})
        assert answer.status == 400 and cookie_of(answer) == ""

    world.run(play())


def test_keys_are_rotated_without_a_gap(world: World):
    world.backend.play(None)

    async def play():
        gateway = await started(world)
        got = await login(world, gateway)
        kid = json.loads(base64.urlsafe_b64decode(got["access_token"].split(".")[0] + "=="))["kid"]
        await asyncio.to_thread(subprocess.run, [str(BINARY), "keys", "rotate", "--keys", str(gateway.folder / "token-keys.jwks")], check=True,
                                capture_output=True)
        gateway.signal(signal.SIGHUP)
        await gateway.logged({"event": "config.reloaded"})
        (await opened(world, gateway, got["access_token"])).reset()
        fresh = (await refresh(world, gateway, got["refresh_token"])).json
        assert json.loads(base64.urlsafe_b64decode(fresh["access_token"].split(".")[0] + "=="))["kid"] != kid
        (await opened(world, gateway, fresh["access_token"])).reset()
        keys = (await ask(world, gateway, "/.sallyport/token/jwks.json", method="GET")).json["keys"]
        assert len(keys) == 2
        assert await gateway.stop() == 0

    world.run(play())


def test_two_instances_are_one_service(world: World):
    """A refresh token is taken by one of them; its second use at the other closes what the first has opened."""
    world.backend.play(None)

    async def play():
        store = {"store": {"sqlite": {"path": str(world.folder / "service.db")}}}
        here, there = await started(world, CONFIG | store), await world.fresh_gateway(CONFIG | store, start=False)
        for name in ("token-keys.jwks", "client.secret"):
            (there.folder / name).write_bytes((here.folder / name).read_bytes())
            (there.folder / name).chmod(0o600)
        await there.start()
        got = await login(world, here)
        answers = await asyncio.gather(*(refresh(world, gateway, got["refresh_token"]) for gateway in (here, there)))
        assert sorted(answer.status for answer in answers) == [200, 400]
        got = await login(world, here)
        fresh = (await refresh(world, there, got["refresh_token"])).json
        socket = await opened(world, here, fresh["access_token"])
        assert (await refresh(world, there, got["refresh_token"])).status == 400
        assert (await socket.close_frame()).code == 4401
        assert await status_of(world, here, fresh["access_token"]) == 401
        assert await here.stop() == 0 and await there.stop() == 0

    world.run(play())


def test_without_the_service_there_is_nothing(world: World):
    async def play():
        gateway = await world.gateway()
        for path in ("token", "token/revoke", "token/introspect"):
            answer = await form(world, gateway, path, {"token": "x"})
            assert answer.status == 404
        assert (await ask(world, gateway, "/.sallyport/token/jwks.json", method="GET")).status == 404

    world.run(play())


def test_curl(world: World, service):
    async def play():
        address, port = service.addresses["127.0.0.1"]
        command = ["curl", "-sS", "--cacert", str(world.authority.file), "--resolve", f"gw.example.test:{port}:{address}", "-u", f"app:{CLIENT_SECRET}",
                   "-d", "grant_type=urn:sallyport:grant:user", "-d", "subject=curl", f"https://gw.example.test:{port}/.sallyport/token"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        got = json.loads(done.stdout)
        for name in ("access_token", "refresh_token"):
            secrets.remember(name, got[name])
        assert await status_of(world, service, got["access_token"]) == 101

    world.backend.play(None)
    world.run(play())


def test_a_page_in_chromium(world: World, service, tmp_path):
    """Its refresh token lies in a cookie that the page cannot see, and brings tokens for sockets again and again."""
    chromium.must_be_here()
    world.backend.play(None)

    async def play():
        address, port = service.addresses["127.0.0.1"]
        script = """(async (host, token) => {
          const ask = async (fields, headers = {}) => {
            const answer = await fetch(`https://${host}/.sallyport/token`, {method: "POST", credentials: "include", headers, body: new URLSearchParams(fields)});
            return [answer.status, await answer.json()];
          };
          const open = (token) => new Promise((done) => {
            const socket = new WebSocket(`wss://${host}/own`, ["chat.v1", `bearer.${token}`]);
            socket.onopen = () => { done("open"); socket.close(); };
            socket.onerror = () => done("failed");
          });
          const [first, {access_token, refresh_token}] = await ask(
            {grant_type: "urn:sallyport:grant:route", path: "/chat", keep: "cookie"}, {Authorization: `Bearer ${token}`});
          const opened = await open(access_token);
          const [second, fresh] = await ask({grant_type: "refresh_token"});
          return [first, refresh_token === undefined, opened, second, await open(fresh.access_token), document.cookie];
        })(%s, %s)""" % (json.dumps(f"gw.example.com:{port}"), json.dumps(tokens.mint(sub="page", exp=int(time.time()) + 7200)))
        heard = await chromium.result_of(script, origin=APP, hosts={"gw.example.com": address, "app.example.com": "127.0.0.1"}, profile=tmp_path)
        assert heard == [200, True, "open", 200, "open", ""]

    world.run(play())
