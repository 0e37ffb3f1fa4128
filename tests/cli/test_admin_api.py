"""The admin API over its socket: each refusal and its good neighbour."""

import asyncio
import hashlib
import http.client
import json
import pathlib
import socket

import pytest
import websockets

from program import ADMIN_TOKEN, PATIENCE

OPEN = ["/healthz", "/readyz", "/metrics"]
FOR_OPERATORS = [("GET", "/v1/connections"), ("DELETE", "/v1/connections/x"), ("GET", "/v1/revocations"), ("POST", "/v1/revocations"),
                 ("POST", "/v1/tokens"), ("DELETE", "/v1/tokens/x")]


@pytest.mark.parametrize("path", OPEN)
def test_probes_need_no_token(shared_gateway, path):
    status, headers, body = shared_gateway.admin("GET", path, token=None)
    assert (status, headers["Connection"], headers["Cache-Control"]) == (200, "close", "no-store")
    assert body


def test_metrics_are_prometheus(shared_gateway):
    _, headers, page = shared_gateway.admin("GET", "/metrics", token=None)
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nsallyport_connections_open 0\n" in page


@pytest.mark.parametrize("method, path", FOR_OPERATORS)
@pytest.mark.parametrize("token", [None, "", "x", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "0", ADMIN_TOKEN.upper()])
def test_the_rest_needs_it(shared_gateway, method, path, token):
    body = {"sub": "alice"} if method == "POST" else None
    status, headers, answer = shared_gateway.admin(method, path, body, token=token)
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="sallyport-admin"'
    assert answer["error"] == "admin.unauthorized"
    assert shared_gateway.admin("GET", "/v1/revocations")[2] == {"revocations": []}


@pytest.mark.parametrize("path", [*OPEN, "/v1/connections"])
@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1"},
                                     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-origin"}, {"Host": "evil.example"},
                                     {"Host": "localhost.evil.example:9443"}])
def test_pages_are_kept_out(shared_gateway, path, headers):
    status, _, answer = shared_gateway.admin("GET", path, headers=headers)
    assert (status, answer["error"]) == (403, "origin.not_allowed")


@pytest.mark.parametrize("headers", [{"Host": "localhost"}, {"Host": "127.0.0.1"}, {"Host": "[::1]:9443"}, {"Sec-Fetch-Site": "none"}])
def test_programs_are_not(shared_gateway, headers):
    assert shared_gateway.admin("GET", "/v1/connections", headers=headers)[0] == 200


@pytest.mark.parametrize("method, path, status, error", [
    ("GET", "/", 404, "request.not_found"),
    ("GET", "/v1/connections/", 404, "request.not_found"),
    ("GET", "/v1//connections", 400, "http.malformed"),
    ("GET", "/v1/nothing", 404, "request.not_found"),
    ("GET", "/v1/tokens", 405, "http.method_not_allowed"),
    ("PUT", "/v1/revocations", 405, "http.method_not_allowed"),
    ("GET", "/v1/connections?all=1", 400, "request.invalid"),
    ("DELETE", "/v1/connections/x", 404, "request.not_found"),
    ("DELETE", "/v1/tokens/x", 404, "request.not_found"),
])
def test_what_is_not_there(shared_gateway, method, path, status, error):
    answered, headers, body = shared_gateway.admin(method, path)
    assert (answered, body["error"]) == (status, error)
    if status == 405:
        assert headers["Allow"] == ("POST" if path == "/v1/tokens" else "GET, POST")


@pytest.mark.parametrize("path, body, says", [
    ("/v1/revocations", "{", ""),
    ("/v1/revocations", "[]", "a JSON object expected"),
    ("/v1/revocations", '{"sub":"a","sub":"b"}', "sub"),
    ("/v1/revocations", {}, "one of sub, sid, jti, token_hash, connection is needed"),
    ("/v1/revocations", {"reason": "x"}, "one of sub, sid, jti, token_hash, connection is needed"),
    ("/v1/revocations", {"sub": "a", "sid": "b"}, "only one of"),
    ("/v1/revocations", {"sup": "a"}, 'did you mean "sub"?'),
    ("/v1/revocations", {"sub": ""}, '"sub"'),
    ("/v1/revocations", {"sub": 7}, '"sub"'),
    ("/v1/revocations", {"sub": "a\nb"}, '"sub"'),
    ("/v1/revocations", {"token_hash": "abc"}, "64 lower-case hex digits"),
    ("/v1/revocations", {"sub": "a", "issued_before": "yesterday"}, '"issued_before"'),
    ("/v1/revocations", {"sub": "a", "issued_before": -1}, '"issued_before"'),
    ("/v1/tokens", {}, '"sub" is missing'),
    ("/v1/tokens", {"sub": "a", "admin": True}, 'unknown member "admin"'),
    ("/v1/tokens", {"sub": "a", "ttl": "91d"}, '"ttl"'),
    ("/v1/tokens", {"sub": "a", "ttl": 0}, '"ttl"'),
    ("/v1/tokens", {"sub": "a", "scopes": "chat"}, '"scopes"'),
    ("/v1/tokens", {"sub": "a", "roles": ["a b"]}, '"roles"'),
])
def test_bodies_that_are_not_understood(shared_gateway, path, body, says):
    status, _, answer = shared_gateway.admin("POST", path, body)
    assert (status, answer["error"]) == (400, "request.invalid")
    assert says in answer["detail"]
    assert shared_gateway.admin("GET", "/v1/revocations")[2] == {"revocations": []}


def test_bodies_are_json_by_name_too(shared_gateway):
    status, _, answer = shared_gateway.admin("POST", "/v1/revocations", {"sub": "a"}, headers={"Content-Type": "text/plain"})
    assert (status, answer["detail"]) == (400, "Content-Type: application/json expected")
    status, _, answer = shared_gateway.admin("DELETE", "/v1/tokens/x", {"sub": "a"})
    assert (status, answer["detail"]) == (400, "no body is understood here")


def test_bodies_are_bounded(shared_gateway):
    fits = json.dumps({"sub": "a"}).ljust(64 * 1024)
    assert shared_gateway.admin("POST", "/v1/tokens", fits)[0] == 201
    status, _, answer = shared_gateway.admin("POST", "/v1/tokens", fits + " ")
    assert (status, answer["error"]) == (413, "message.too_big")


def test_heads_are_strict(shared_gateway):
    def ask(text: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", shared_gateway.folder.admin_port), PATIENCE) as one:
            one.sendall(text)
            answer = b""
            while data := one.recv(4096):
                answer += data
            return answer

    assert ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n").startswith(b"HTTP/1.1 400 ")
    assert ask(b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 501 ")
    assert ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n").startswith(b"HTTP/1.1 431 ")


def test_a_token_lives_and_is_revoked(gateway):
    status, _, issued = gateway.admin("POST", "/v1/tokens", {"sub": "alice", "sid": "s", "tenant": "t", "scopes": ["chat.read"],
                                                             "roles": ["member"], "ttl": "1h"})
    assert status == 201 and set(issued) == {"token", "id", "expires_at"}
    assert issued["token"].startswith("spt_")

    async def play():
        loop = asyncio.get_running_loop()
        async with gateway.connect_opaque(issued["token"]) as one:
            await one.send("hi")
            assert await one.recv() == "alice: hi"
            connections = (await loop.run_in_executor(None, gateway.admin, "GET", "/v1/connections"))[2]["connections"]
            assert [(c["subject"], c["route"], c["mechanism"], c["peer"]) for c in connections] == [("alice", "chat", "opaque", "127.0.0.1")]
            assert connections[0]["expires_at"] == issued["expires_at"]
            status, _, revoked = await loop.run_in_executor(None, gateway.admin, "DELETE", f"/v1/tokens/{issued['id']}")
            assert status == 200 and revoked["closed"] == 1 and revoked["milliseconds"] < 1000
            await asyncio.wait_for(one.wait_closed(), PATIENCE)
            assert (one.close_code, one.close_reason) == (4401, "credential revoked")
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await gateway.connect_opaque(issued["token"])
        assert refused.value.status_code == 401

    asyncio.run(play())
    said = json.dumps(gateway.log)
    assert issued["token"] not in said and ADMIN_TOKEN not in said


@pytest.mark.parametrize("handle", ["sub", "sid", "jti", "token_hash", "connection"])
def test_each_handle_reaches_a_live_connection_and_no_other(gateway, handle):
    token = gateway.folder.token("alice", "--sid", "alice-1")
    claims = json.loads(gateway.folder.run("token", "inspect", "--json", stdin=token).stdout)["claims"]

    async def play():
        loop = asyncio.get_running_loop()
        async with gateway.connect(token) as one, gateway.connect(gateway.folder.token("bob", "--sid", "bob-1")) as other:
            connections = (await loop.run_in_executor(None, gateway.admin, "GET", "/v1/connections"))[2]["connections"]
            values = {"sub": "alice", "sid": "alice-1", "jti": claims["jti"], "token_hash": hashlib.sha256(token.encode()).hexdigest(),
                      "connection": next(c["id"] for c in connections if c["subject"] == "alice")}
            body = {handle: values[handle], "reason": "a test"}
            status, _, revoked = await loop.run_in_executor(None, gateway.admin, "POST", "/v1/revocations", body)
            assert (status, revoked["closed"]) == (200, 1)
            await asyncio.wait_for(one.wait_closed(), PATIENCE)
            assert one.close_code == 4401
            await other.send("still here")
            assert await other.recv() == "bob: still here"
        listed = (await loop.run_in_executor(None, gateway.admin, "GET", "/v1/revocations"))[2]["revocations"]
        assert [(r["id"], r["handle"], r["value"], r["reason"]) for r in listed] == [(revoked["id"], handle, values[handle], "a test")]

    asyncio.run(play())


def test_what_was_done_is_logged(gateway):
    gateway.admin("POST", "/v1/revocations", {"sub": "mallory", "issued_before": "now"})
    event = gateway.logged("admin.request")
    assert (event["method"], event["path"], event["status"], event["peer"]) == ("POST", "/v1/revocations", 200, "127.0.0.1")
    seen = len(gateway.log)
    gateway.admin("GET", "/v1/connections", token="wrong")
    event = gateway.logged("admin.request", seen)
    assert (event["level"], event["status"], event["reason"]) == ("warning", 401, "admin.unauthorized")
    assert "wrong" not in json.dumps(event)


def test_connections_are_bounded_and_given_back(shared_gateway):
    port = shared_gateway.folder.admin_port
    silent = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(64)]
    try:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            shared_gateway.admin("GET", "/healthz")
    finally:
        for one in silent:
            one.close()
    for _ in range(1000):
        try:
            assert shared_gateway.admin("GET", "/healthz")[0] == 200
            return
        except (ConnectionError, http.client.HTTPException):
            continue
    raise AssertionError("the places were not given back")


def test_the_contract_is_valid_openapi():
    yaml = pytest.importorskip("yaml")
    root = pathlib.Path(__file__).resolve().parents[2]
    contract = yaml.safe_load((root / "src/sallyport/admin/api.yaml").read_text())
    assert contract["openapi"] == "3.1.0"
    text = json.dumps(contract)
    for reference in set(part.split('"')[0] for part in text.split('"$ref": "#/')[1:]):
        node = contract
        for step in reference.split("/"):
            node = node[step]
