"""Client certificates: what a listener that asks for them takes and refuses, over HTTP/1.1 and HTTP/2 and from real clients, and how long
after its revocation a socket lives. Also what a proxy passes on of them (RFC 9440, X-Forwarded-Client-Cert)."""

from __future__ import annotations

import asyncio
import base64
import os
import pathlib
import shutil
import ssl
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness import http2, tokens
from harness.client import Client, upgrade
from harness.clients_ca import ClientAuthority, Issued, short_rsa
from harness.gateway import Gateway
from harness.http2 import Http2Client
from harness.waiting import within
from harness.world import World

TLS = {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}], "client_ca": "clients.pem", "client_crl": "clients.crl"}
ROUTES = {
    "chat": {"authenticate": [{"mtls": {}}, {"jwt": {"issuer": "main"}}], "recheck": {"every": "1h"}},
    "public": {"authenticate": [{"mtls": {"subject": ["cn"]}}]},
}
REQUIRED, REQUESTED = "127.0.0.1", "127.0.0.2"


class Door:
    """A gateway that asks for certificates, and the authorities around it."""

    def __init__(self, world: World):
        self.world = world
        folder = pathlib.Path(world.folder / f"clients-{id(self)}")
        folder.mkdir()
        self.root = ClientAuthority(folder, "clients")
        self.below = ClientAuthority(folder, "below", self.root)
        self.narrow = ClientAuthority(folder, "narrow", self.root, constraint="good.test")
        self.stranger = ClientAuthority(folder, "strangers")
        self.revoked = self.root.issue("revoked")
        self.gateway: Gateway | None = None

    async def start(self, change: dict | None = None) -> "Door":
        config = {"listen": [{"address": f"{REQUIRED}:0", "tls": TLS, "http2": True},
                             {"address": f"{REQUESTED}:0", "tls": TLS | {"client_auth": "request"}, "http2": True}],
                  "routes": ROUTES} | (change or {})
        self.gateway = await self.world.fresh_gateway(config, start=False)
        (self.gateway.folder / "clients.pem").write_text(self.root.pem)
        self.lists(self.revoked)
        await self.gateway.start()
        self.world.gateways[f"mtls {id(self)}"] = self.gateway
        return self

    def lists(self, *revoked: Issued) -> None:
        """New revocation lists, put in place at once."""
        fresh = self.gateway.folder / "clients.crl.new"
        fresh.write_text(self.root.revoke(*revoked) + self.below.revoke() + self.narrow.revoke())
        os.replace(fresh, self.gateway.folder / "clients.crl")

    async def connect(self, issued: Issued | None, *, at: str = REQUIRED, version: ssl.TLSVersion | None = None) -> Client:
        tls = issued.context(self.world.authority.file) if issued else ssl.create_default_context(cafile=str(self.world.authority.file))
        if version:
            tls.minimum_version = tls.maximum_version = version
        return await Client.connect(self.gateway.addresses[at], tls=tls)

    async def opens(self, issued: Issued, path: str = "/chat", **how) -> Client:
        client = await self.connect(issued, **how)
        return await client.open(upgrade(path))

    async def is_let_in(self, issued: Issued, subject: str) -> None:
        since = len(self.gateway.log)
        client = await self.opens(issued)
        client.text("hello")
        assert await client.receive() == b"hello"
        await self.gateway.logged({"event": "connection.accepted", "mechanism": "mtls", "subject": subject}, since)
        client.leave()

    async def is_refused(self, issued: Issued | None, words: str, *, at: str = REQUIRED, version=None) -> None:
        """The handshake fails, whatever the client thinks of it, and nothing is answered."""
        since = len(self.gateway.log)
        try:
            client = await self.connect(issued, at=at, version=version)
            client.write(upgrade("/chat"))
            assert await client.rest() == b""
        except (ssl.SSLError, ConnectionError):
            pass
        await self.gateway.logged({"event": "connection.refused", "reason": "tls.failed", "detail": f"/{words}/"}, since)


@pytest.fixture(scope="module")
def door(world: World) -> Door:
    return world.run(Door(world).start())


BAD = {
    "expired": (lambda door: door.root.issue(end=-60), "certificate has expired .credential.expired"),
    "not yet valid": (lambda door: door.root.issue(start=3600), "not yet valid"),
    "of another authority": (lambda door: door.stranger.issue(), "unable to get local issuer certificate"),
    "with another authority behind it": (lambda door: door.stranger.issue(chain=(door.stranger,)), "self-signed certificate in certificate chain"),
    "for servers": (lambda door: door.root.issue(usage=ExtendedKeyUsageOID.SERVER_AUTH), "unsuitable certificate purpose"),
    "for nothing said": (lambda door: door.root.issue(usage=None), "no extended key usage"),
    "name constraint": (lambda door: door.narrow.issue(names=("a.bad.test",), chain=(door.narrow,)), "permitted subtree violation"),
    "revoked": (lambda door: door.revoked, "certificate revoked .credential.revoked"),
    "self-signed": (lambda door: door.root.issue(self_signed=True), "self-signed certificate"),
    "SHA-1": (lambda door: door.root.issue(digest=hashes.SHA1()), "CA signature digest algorithm too weak"),
    "short RSA": (lambda door: door.root.issue(key=short_rsa()), "EE certificate key too weak"),
    "intermediate left out": (lambda door: door.below.issue(), "unable to get local issuer certificate"),
    "none": (lambda door: None, "peer did not return a certificate"),
}


@pytest.mark.parametrize("what", BAD)
def test_refused_beside_a_good_neighbour(world: World, door: Door, what):
    make, words = BAD[what]

    async def play():
        await door.is_let_in(door.root.issue(names=("spiffe://example.com/pump/7",)), "spiffe://example.com/pump/7")
        bad = make(door)
        await door.is_refused(bad, words)
        if bad:
            await door.is_refused(bad, words, version=ssl.TLSVersion.TLSv1_2)
            # A listener that can do without a certificate does not take a bad one for none.
            await door.is_refused(bad, words, at=REQUESTED)
        await door.is_let_in(door.below.issue(names=("pump@example.com",), chain=(door.below,)), "pump@example.com")

    world.run(play())


def test_what_the_backend_and_the_log_are_told(world: World, door: Door):
    async def play():
        world.backend.play(None)
        issued = door.root.issue("pump", names=("pump.good.test",))
        client = await door.opens(issued)
        arrival = await world.backend.arrival(-1)
        assert arrival.header("x-sallyport-subject") == "pump.good.test"
        assert arrival.header("client-cert") is None
        client.leave()
        # On another route another name.
        since = len(door.gateway.log)
        client = await door.opens(issued, "/public/")
        line = await door.gateway.logged({"event": "connection.accepted", "route": "public"}, since)
        assert line["subject"] == "pump" and line["issuer"] == "CN=clients"
        assert abs(line["expires_at"] - time.time() - 24 * 3600) < 60
        client.leave()

    world.run(play())


def test_over_http2(world: World, door: Door):
    async def play():
        issued = door.root.issue(names=("spiffe://example.com/h2",))
        client = await Http2Client.connect(door.gateway.addresses[REQUIRED], world.authority.file, certificate=(issued.file, issued.key_file))
        since = len(door.gateway.log)
        stream = client.open(http2.request())
        await client.bell.until(lambda: stream.status is not None, "an answer")
        assert stream.status == 200
        await door.gateway.logged({"event": "connection.accepted", "transport": "h2", "subject": "spiffe://example.com/h2"}, since)
        client.writer.close()

        since = len(door.gateway.log)
        try:
            refused = await Client.connect(door.gateway.addresses[REQUIRED], tls=door.revoked.context(world.authority.file, ["h2"]))
            refused.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2.frame(http2.SETTINGS, 0, 0))
            assert await refused.rest() == b""
        except (ssl.SSLError, ConnectionError):
            pass
        await door.gateway.logged({"event": "connection.refused", "reason": "tls.failed"}, since)

    world.run(play())


def test_a_listener_that_only_asks(world: World, door: Door):
    """Who has no certificate goes on to the other mechanisms of the route."""
    async def play():
        client = await door.connect(None, at=REQUESTED)
        await client.open(upgrade("/chat", headers={"Authorization": f"Bearer {tokens.mint()}"}))
        client.leave()
        client = await door.connect(None, at=REQUESTED)
        client.write(upgrade("/chat"))
        assert (await client.read_answer()).status == 401

    world.run(play())


def test_no_session_is_resumed(world: World, door: Door):
    tls = door.root.issue().context(world.authority.file)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2

    async def play():
        session = None
        for _ in range(2):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            connection = tls.wrap_bio(incoming, outgoing, server_hostname="gw.example.test", session=session)
            client = await Client.connect(door.gateway.addresses[REQUIRED])
            while True:
                try:
                    connection.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    client.write(outgoing.read())
                    incoming.write(await client.reader.read(65536))
            client.write(outgoing.read())
            assert not connection.session_reused
            session = connection.session if connection.session and connection.session.has_ticket else None
            assert session is None
            client.leave()

    world.run(play())


def test_openssl_and_curl(world: World, door: Door):
    """Clients that others wrote."""
    async def run(*command: str, stdin: bytes | None = None, until: bytes = b"") -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT)
        if stdin:
            process.stdin.write(stdin)
        output = b""
        while data := await within(process.stdout.read(65536), f"the output of {command[0]}"):
            output += data
            if until and until in output:
                process.kill()
        return await process.wait(), output

    async def play():
        host, port = door.gateway.addresses[REQUIRED]
        good = door.root.issue()
        s_client = ["openssl", "s_client", "-quiet", "-connect", f"{host}:{port}", "-CAfile", str(world.authority.file),
                    "-servername", "gw.example.test", "-alpn", "http/1.1"]
        _, said = await run(*s_client, "-cert", str(good.file), "-key", str(good.key_file), stdin=upgrade("/chat"), until=b"101 Switching")
        assert b"101 Switching Protocols" in said, said
        _, said = await run(*s_client, "-cert", str(door.revoked.file), "-key", str(door.revoked.key_file), stdin=upgrade("/chat"), until=b"101 Switching")
        assert b"alert certificate revoked" in said, said
        if not shutil.which("curl"):
            assert not os.environ.get("CI"), "curl is not there"
            pytest.skip("curl is not there")
        curl = ["curl", "-sS", "-i", "--cacert", str(world.authority.file), "--resolve", f"gw.example.test:{port}:{host}",
                f"https://gw.example.test:{port}/chat"]
        for version in ("--http1.1", "--http2"):
            code, said = await run(*curl, version, "--cert", str(good.file), "--key", str(good.key_file))
            assert code == 0 and b" 426" in said.split(b"\r\n")[0], said
            since = len(door.gateway.log)
            code, said = await run(*curl, version)
            assert code != 0 and b"HTTP/" not in said, said
            await door.gateway.logged({"event": "connection.refused", "reason": "tls.failed", "detail": "/did not return a certificate/"}, since)

    world.run(play())


def test_a_list_that_is_replaced_closes_live_sockets(world: World, door: Door):
    async def play():
        leaving, staying = door.root.issue("leaving"), door.root.issue("staying")
        gone = await door.opens(leaving)
        also_gone = await Http2Client.connect(door.gateway.addresses[REQUIRED], world.authority.file, certificate=(leaving.file, leaving.key_file))
        stream = also_gone.open(http2.request())
        await also_gone.bell.until(lambda: stream.status == 200, "an answer")
        stays = await door.opens(staying)
        since = len(door.gateway.log)
        began = time.monotonic()
        door.lists(door.revoked, leaving)
        frame = await gone.close_frame()
        took = time.monotonic() - began
        assert (frame.code, frame.reason) == (4401, "credential revoked")
        assert took < 2.5, f"{took:.2f} s from the new list to the close frame"
        print(f"from the new list to the close frame: {took:.2f} s")
        await door.gateway.logged({"event": "connection.closed", "reason": "credential.revoked", "subject": "leaving"}, since)
        await also_gone.bell.until(lambda: stream.data, "a close frame on the stream")
        stays.text("still here")
        assert await stays.receive() == b"still here"
        await door.is_refused(leaving, "certificate revoked")
        # On the HTTP/2 connection that it has already, too.
        again = also_gone.open(http2.request())
        await also_gone.bell.until(lambda: again.status is not None, "an answer")
        assert again.status == 401
        also_gone.writer.close()
        # A list that cannot be read changes nothing, and is complained of.
        (door.gateway.folder / "clients.crl").write_text("garbage")
        await door.gateway.logged({"event": "client_authorities.failed", "detail": "/no revocation list/"}, since)
        await door.is_refused(leaving, "certificate revoked")
        stays.text("still here")
        assert await stays.receive() == b"still here"
        since = len(door.gateway.log)
        door.lists(door.revoked)
        await door.gateway.logged({"event": "client_authorities.loaded", "crl_next_update": "any"}, since)
        await door.is_let_in(leaving, "leaving")
        stays.leave()

    world.run(play())


def test_revoked_by_thumbprint_and_by_serial(world: World, door: Door):
    async def play():
        for handle in ("token_hash", "jti", "sub"):
            issued = door.root.issue(f"device by {handle}")
            value = {"token_hash": issued.thumbprint, "jti": f"{issued.certificate.serial_number:x}", "sub": f"device by {handle}"}[handle]
            client = await door.opens(issued)
            answer = await door.gateway.admin("POST", "/v1/revocations", {handle: value, "issuer": "CN=clients"})
            assert answer.status == 200 and answer.json["closed"] == 1, answer.body
            assert (await client.close_frame()).code == 4401
            again = await door.connect(issued)
            again.write(upgrade("/chat"))
            assert (await again.read_answer()).status == 401

    world.run(play())


def certificate_fields(issued: Issued, *, xfcc: bool = False, chain: tuple[ClientAuthority, ...] = ()) -> list[tuple[str, str]]:
    encoded = lambda der: f":{base64.b64encode(der).decode()}:"
    others = [one.certificate for one in chain]
    if xfcc:
        pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in [issued.certificate, *others])
        return [("X-Forwarded-Client-Cert", f'Hash={issued.thumbprint};Chain="{urllib.parse.quote(pem.decode(), safe="")}";Subject="CN=\\"x\\""')]
    fields = [("Client-Cert", encoded(issued.der))]
    if others:
        fields.append(("Client-Cert-Chain", ", ".join(encoded(one.public_bytes(serialization.Encoding.DER)) for one in others)))
    return fields


@pytest.mark.parametrize("xfcc", [False, True], ids=["Client-Cert", "X-Forwarded-Client-Cert"])
def test_passed_on_by_a_proxy(world: World, xfcc: bool):
    """From a trusted proxy a certificate is taken and its chain verified here; from anybody else the field is nothing."""
    proxy, nobody = "127.0.0.9", "127.0.0.7"
    header = "x-forwarded-client-cert" if xfcc else "client-cert"
    change = {
        "listen": [{"address": "127.0.0.2:0"}],
        "trusted_proxies": {"addresses": [proxy], "certificate": {"header": header, "client_ca": "clients.pem", "client_crl": "clients.crl"}},
        "routes": ROUTES}

    async def play():
        door = await Door(world).start(change)
        gateway = door.gateway

        async def tries(source: str, fields: list[tuple[str, str]]) -> int:
            client = await Client.connect(gateway.addresses["127.0.0.2"], source=source)
            client.write(upgrade("/chat", headers=[("X-Forwarded-For", "203.0.113.7"), *fields]))
            status = (await client.read_answer()).status
            client.leave()
            return status

        world.backend.play(None)
        issued = door.root.issue(names=("spiffe://example.com/proxied",))
        good = certificate_fields(issued, xfcc=xfcc)
        assert await tries(proxy, good) == 101
        await gateway.logged({"event": "connection.accepted", "mechanism": "mtls", "subject": "spiffe://example.com/proxied", "peer": "203.0.113.7"})
        arrival = await world.backend.arrival(-1)
        assert arrival.header(header) is None and arrival.header("x-forwarded-for") == "203.0.113.7"
        assert await tries(proxy, certificate_fields(door.below.issue(), xfcc=xfcc, chain=(door.below,))) == 101
        assert await tries(nobody, good) == 401
        await gateway.logged({"event": "connection.refused", "reason": "credential.missing", "peer": nobody})
        assert await tries(proxy, []) == 401
        for bad, reason in ((door.root.issue(end=-60), "credential.expired"), (door.revoked, "credential.revoked"),
                            (door.stranger.issue(), "credential.invalid"), (door.root.issue(self_signed=True), "credential.invalid")):
            since = len(gateway.log)
            assert await tries(proxy, certificate_fields(bad, xfcc=xfcc)) == 401
            await gateway.logged({"event": "connection.refused", "reason": reason}, since)
        assert await tries(proxy, good + good) == 401
        assert await tries(proxy, [(good[0][0], "garbage")]) == 401
        other = certificate_fields(issued, xfcc=not xfcc)
        assert await tries(proxy, other) == 401, "only the field that the proxies write is looked at"

    world.run(play())
