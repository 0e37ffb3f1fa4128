"""TLS as the gateway speaks it: 1.2 and 1.3 with authenticated encryption, nothing older, nothing weaker."""

from __future__ import annotations

import ssl

import pytest

from harness import sslscan
from harness.client import Client
from harness.world import World


def context(world: World, version: ssl.TLSVersion, ciphers: str | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(world.authority.file))
    made.minimum_version = made.maximum_version = version
    if ciphers:
        made.set_ciphers(ciphers)
    return made


async def shake(world: World, tls: ssl.SSLContext) -> tuple[str, str]:
    """Version and cipher of a handshake."""
    gateway = await world.gateway()
    client = await Client.connect(gateway.addresses["127.0.0.1"], tls=tls)
    about = client.writer.get_extra_info("ssl_object")
    client.leave()
    return about.version(), about.cipher()[0]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_spoken(world: World, version):
    name, cipher = world.run(shake(world, context(world, version)))
    assert name == version.name.replace("_", ".")
    assert "GCM" in cipher or "CHACHA20" in cipher


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version, ciphers", [
    (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"), (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
    (ssl.TLSVersion.TLSv1_2, "ECDHE+AES:!AESGCM:!AESCCM"), (ssl.TLSVersion.TLSv1_2, "kRSA"), (ssl.TLSVersion.TLSv1_2, "DHE")],
    ids=["TLS 1.1", "TLS 1.0", "CBC", "RSA key exchange", "finite field DHE"])
def test_refused(world: World, version, ciphers):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        world.run(shake(world, context(world, version, ciphers)))


def test_a_scanner_finds_nothing_else(world: World):
    async def play():
        gateway = await world.gateway()
        return await sslscan.scan(*gateway.addresses["127.0.0.1"])

    assert world.run(play()).complaints("ECDSA") == []


def test_plain_text_on_the_tls_port_is_no_request(world: World):
    async def play():
        gateway = await world.gateway()
        since = len(gateway.log)
        client = await Client.connect(gateway.addresses["127.0.0.1"])
        client.write(b"GET /chat HTTP/1.1\r\nHost: gw.example.test\r\n\r\n")
        assert b"HTTP/1.1" not in await client.rest()
        await gateway.logged({"event": "connection.refused", "reason": "tls.failed"}, since)

    world.run(play())


def test_a_session_is_resumed(world: World):
    """A second connection of the same client saves the signature; who is behind it is proved anew all the same."""
    tls = context(world, ssl.TLSVersion.TLSv1_2)

    async def play():
        gateway = await world.gateway()
        resumed = []
        session = None
        for _ in range(2):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            connection = tls.wrap_bio(incoming, outgoing, server_hostname="gw.example.test", session=session)
            client = await Client.connect(gateway.addresses["127.0.0.1"])
            while True:
                try:
                    connection.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    client.write(outgoing.read())
                    incoming.write(await client.reader.read(65536))
            client.write(outgoing.read())
            resumed.append(connection.session_reused)
            session = connection.session
            client.leave()
        assert resumed == [False, True]

    world.run(play())
