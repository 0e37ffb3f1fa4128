"""Every way to authenticate, as the matrix of test_auth_matrix.py asks for it: how its credential is made good and bad, where it
travels, and how it is revoked. A mechanism says why where a state makes no sense for it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import os
import time
import urllib.parse
from dataclasses import dataclass, field

from . import secrets, tokens
from .client import Client
from .clients_ca import ClientAuthority
from .gateway import Answer, Gateway
from .waiting import within
from .world import World

BY_ANOTHER_WAY = "it is the jwt mechanism by another way"
STATES = ["good", "absent", "forged", "expired", "revoked", "replayed", "wrong origin"]


@dataclass
class Credential:
    """What a client presents: with its request, or the one text that it can say inside the socket."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    query: str = ""
    token: str | None = None  #: inside the socket; None where this kind travels with a request only
    certificate: tuple | None = None  #: the files of the client's certificate and its key
    subject: str = "alice"
    id: str = ""  #: by which it can be revoked


class Makes:
    """No sense in this state, and why."""

    def __init__(self, why: str):
        self.why = why


async def post(world: World, gateway: Gateway, path: str, body: dict, headers: list[tuple[str, str]]) -> Answer:
    """An answer of the gateway's own, over TLS."""
    client = await Client.connect(gateway.addresses["127.0.0.1"], tls=world.client_tls)
    payload = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: gw.example.test", "Content-Type: application/json", f"Content-Length: {len(payload)}"]
    client.write("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode() + payload)
    answer = await within(client.reader.read(-1), f"the answer to {path}")  # which may hold a credential, as nothing else may
    return Answer.parse(answer)


class Mechanism:
    name = ""
    #: the timings that make no sense for it, and why
    never: dict[str, str] = {}

    def authenticate(self, world: World) -> list[dict]:
        """The route's `authenticate`."""
        raise NotImplementedError

    def top(self, world: World) -> dict:
        """What the whole configuration needs for it."""
        return {}

    async def start(self, world: World) -> None:
        """Starts whom it relies on; once."""

    async def credential(self, world: World, gateway: Gateway, path: str, state: str) -> Credential | Makes:
        """A fresh one for a request to `path`; `good` serves for revoked, replayed and wrong origin too."""
        raise NotImplementedError

    async def revoke(self, world: World, gateway: Gateway, credential: Credential) -> None:
        answer = await gateway.admin("POST", "/v1/revocations", {"sub": credential.subject})
        assert answer.status == 200, answer.body

    def asked(self, world: World) -> int | None:
        """How many questions the server that it relies on has been asked; None: there is no such server."""
        return None

    #: "bearer": good until it ends, however often it is shown; "once": good for one attempt
    use = "bearer"


class Jwt(Mechanism):
    name = "jwt"

    def authenticate(self, world):
        return [{"jwt": {"issuer": "main", "from": ["header", "subprotocol"]}}]

    def make(self, state: str) -> tuple[str, str]:
        subject = f"{self.name}-{time.monotonic_ns()}"
        if state == "forged":
            return tokens.mint("stranger", sub=subject), subject
        return tokens.mint(sub=subject, exp="-60" if state == "expired" else "+600"), subject

    async def credential(self, world, gateway, path, state):
        token, subject = self.make(state)
        return Credential([("Authorization", f"Bearer {token}")], token=token, subject=subject)


class JwtInSubprotocol(Jwt):
    name = "jwt, subprotocol"
    never = {"first_message": BY_ANOTHER_WAY, "out_of_band": "a POST offers no subprotocols"}

    async def credential(self, world, gateway, path, state):
        token, subject = self.make(state)
        return Credential([("Sec-WebSocket-Protocol", f"bearer.{token}")], subject=subject)


class JwtInCookie(Jwt):
    name = "jwt, cookie"
    never = {"first_message": BY_ANOTHER_WAY}

    def authenticate(self, world):
        return [{"jwt": {"issuer": "main", "from": ["cookie:access_token"]}}]

    async def credential(self, world, gateway, path, state):
        token, subject = self.make(state)
        return Credential([("Cookie", f"access_token={token}")], subject=subject)


class JwtInQuery(Jwt):
    name = "jwt, query"
    never = {"first_message": BY_ANOTHER_WAY}

    def authenticate(self, world):
        return [{"jwt": {"issuer": "main", "from": ["query:token"]}}]

    async def credential(self, world, gateway, path, state):
        token, subject = self.make(state)
        return Credential(query=f"?token={token}", subject=subject)


class Opaque(Mechanism):
    name = "opaque"

    def authenticate(self, world):
        return [{"opaque": {"from": ["header", "subprotocol"]}}]

    async def credential(self, world, gateway, path, state):
        subject = f"robot-{time.monotonic_ns()}"
        issued = (await gateway.admin("POST", "/v1/tokens", {"sub": subject, "ttl": "1s" if state == "expired" else "1h"})).json
        token = issued["token"]
        if state == "forged":
            token = token[:-12] + ("A" if token[-12] != "A" else "B") + token[-11:]
        if state == "expired":
            await gateway.past(issued["expires_at"] + 1)  # it is told in whole seconds
        return Credential([("Authorization", f"Bearer {token}")], token=token, subject=subject, id=issued["id"])

    async def revoke(self, world, gateway, credential):
        assert (await gateway.admin("DELETE", f"/v1/tokens/{credential.id}")).status in (200, 204)


class Ticket(Mechanism):
    name = "ticket"
    use = "once"
    never = {"out_of_band": "a ticket is good for a handshake, and for no other request"}

    def authenticate(self, world):
        return [{"ticket": {"lifetime": "2s"}}, {"jwt": {"issuer": "main", "from": ["header"]}}]

    async def credential(self, world, gateway, path, state):
        subject = f"ticket-{time.monotonic_ns()}"
        headers = [("Authorization", f"Bearer {tokens.mint(sub=subject)}"), ("Origin", "https://app.example.com")]
        answer = await post(world, gateway, "/.sallyport/ticket", {"path": path}, headers)
        assert answer.status == 200, answer.body
        ticket = secrets.remember("a ticket", answer.json["ticket"])
        if state == "forged":
            ticket = ticket[:-3] + ("A" if ticket[-3] != "A" else "B") + ticket[-2:]
        if state == "expired":
            await gateway.past(time.time() + 3)
        return Credential(query=f"?ticket={ticket}", token=ticket, subject=subject)


class Session(Mechanism):
    """PHP's sessions in files; no PHP is needed to write one."""

    name = "session"
    never = {"first_message": "a page cannot read the cookie that it would have to say"}

    def folder(self, world):
        folder = world.folder / "php-sessions"
        folder.mkdir(exist_ok=True)
        return folder

    def authenticate(self, world):
        return [{"session": {"framework": "php", "store": {"files": {"path": str(self.folder(world))}}}}]

    async def credential(self, world, gateway, path, state):
        subject, name = f"{self.name}-{time.monotonic_ns()}", secrets.remember("a session's id", os.urandom(13).hex())
        file = self.folder(world) / f"sess_{name}"
        file.write_text(f'user_id|s:{len(subject)}:"{subject}";')
        if state == "expired":
            os.utime(file, (time.time() - 1441, time.time() - 1441))
        shown = name[:-1] + ("0" if name[-1] != "0" else "1") if state == "forged" else name
        return Credential([("Cookie", f"PHPSESSID={shown}")], subject=subject)


class SignedRequest(Mechanism):
    name = "signed_request"
    never = {"first_message": "it is a request that is signed, and inside the socket there is none"}
    use = "once"

    def authenticate(self, world):
        return [{"signed_request": {"keys_file": str(world.folder / "matrix-clients.json"), "from": ["header", "query"]}}]

    async def start(self, world):
        """A client for each credential, since one that was revoked stays so."""
        if not hasattr(world, "matrix_clients"):
            keys = [{"kid": f"key-{number}", "kty": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")}
                    for number in range(100)]
            file = world.folder / "matrix-clients.json"
            file.write_text(json.dumps({"clients": [{"name": f"device-{number}", "keys": [key]} for number, key in enumerate(keys)]}))
            file.chmod(0o600)
            world.matrix_clients = itertools.cycle(enumerate(keys))

    async def credential(self, world, gateway, path, state):
        number, key = next(world.matrix_clients)
        method, path = ("POST", "/.sallyport/bind") if path.endswith("/out_of_band") else ("GET", path)
        created = int(time.time()) - (300 if state == "expired" else 0)
        signed = (f'("@method" "@authority" "@path" "@query" "origin");created={created};nonce="{os.urandom(9).hex()}";'
                  f'keyid="{key["kid"]}";tag="sallyport"')
        base = (f'"@method": {method}\n"@authority": gw.example.test\n"@path": {path}\n"@query": ?\n'
                f'"origin": https://app.example.com\n"@signature-params": {signed}')
        secret = base64.urlsafe_b64decode(secrets.remember("a client's secret", key["k"]) + "=")
        mac = hmac.new(secret, (base + "!" * (state == "forged")).encode(), hashlib.sha256).digest()
        return Credential(*self.carried(signed, mac), subject=f"device-{number}")

    def carried(self, signed: str, mac: bytes) -> tuple[list[tuple[str, str]], str]:
        return [("Signature-Input", f"s={signed}"), ("Signature", f"s=:{base64.b64encode(mac).decode()}:")], ""


class SignedUrl(SignedRequest):
    name = "signed_request, URL"

    def carried(self, signed, mac):
        return [], "?" + urllib.parse.urlencode({"sp-signature-input": signed,
                                                 "sp-signature": base64.urlsafe_b64encode(mac).decode().rstrip("=")})


class Server:
    """Is asked over HTTP about tokens, and says what `say` says of the question's body and its Authorization line."""

    def __init__(self, say):
        self.say, self.asked, self.tokens = say, 0, {}

    async def start(self) -> "Server":
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/decide"
        return self

    async def _serve(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(int(line.split(": ")[1]) for line in head.split("\r\n") if line.startswith("Content-Length: "))
                body = (await reader.readexactly(length)).decode()
                self.asked += 1
                answer = json.dumps(self.say(self, body)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Remote(Mechanism):
    """Whose tokens a server knows, and nobody else."""

    say = None

    async def start(self, world):
        if not hasattr(world, self.name):
            setattr(world, self.name, await Server(type(self).say).start())

    def server(self, world) -> Server:
        return getattr(world, self.name)

    async def credential(self, world, gateway, path, state):
        subject, token = f"{self.name}-{time.monotonic_ns()}", secrets.remember("an opaque token", os.urandom(24).hex())
        if state != "forged":
            self.server(world).tokens[token] = {"sub": subject, "exp": int(time.time()) + (-60 if state == "expired" else 600)}
        return Credential([("Authorization", f"Bearer {token}")], token=token, subject=subject)

    def asked(self, world):
        return self.server(world).asked


class Introspection(Remote):
    name = "introspection"

    def say(server, body):  # noqa: N805
        known = server.tokens.get(urllib.parse.parse_qs(body)["token"][0])
        return {"active": True, "aud": "chat", **known} if known else {"active": False}

    def authenticate(self, world):
        file = world.folder / "introspection.secret"
        if not file.exists():
            file.write_text(secrets.remember("a client's secret", os.urandom(16).hex()))
            file.chmod(0o600)
        return [{"introspection": {"url": self.server(world).url, "client": {"id": "gateway", "secret_file": str(file)},
                                   "audience": ["chat"]}}]


class Callout(Remote):
    name = "callout"

    def say(server, body):  # noqa: N805
        known = server.tokens.get(json.loads(body)["request"]["headers"]["authorization"].removeprefix("Bearer "))
        return {"allow": {"subject": known["sub"], "expires_at": known["exp"]}} if known else {"refuse": {"reason": "invalid"}}

    def authenticate(self, world):
        return [{"callout": {"url": self.server(world).url}}]


class Mtls(Mechanism):
    """A bad certificate is refused in the TLS handshake, before there is anything that could be answered."""

    name = "mtls"
    never = {"first_message": "a certificate is shown in the TLS handshake; inside the socket there is nothing left to show"}

    def authenticate(self, world):
        return [{"mtls": {}}]

    def authority(self, world) -> ClientAuthority:
        if not hasattr(world, "matrix_authority"):
            folder = world.folder / "matrix-certificates"
            folder.mkdir()
            world.matrix_authority, world.matrix_stranger = ClientAuthority(folder, "matrix"), ClientAuthority(folder, "strangers")
        return world.matrix_authority

    def top(self, world):
        tls = {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}], "client_ca": str(self.authority(world).file), "client_auth": "request"}
        return {"listen": [{"address": "127.0.0.1:0", "http2": True, "tls": tls}]}

    async def credential(self, world, gateway, path, state):
        subject = f"device-{time.monotonic_ns()}"
        authority = self.authority(world)
        issued = (world.matrix_stranger if state == "forged" else authority).issue(subject, end=-60 if state == "expired" else 600)
        return Credential(certificate=(issued.file, issued.key_file), subject=subject)


MECHANISMS: list[Mechanism] = [
    Jwt(),
    JwtInSubprotocol(),
    JwtInCookie(),
    JwtInQuery(),
    Opaque(),
    Ticket(),
    Session(),
    SignedRequest(),
    SignedUrl(),
    Introspection(),
    Callout(),
    Mtls(),
]
