"""Forged, stolen and stale tokens over the wire. Whatever is wrong with one, the answer is the same to the byte, so that it teaches
nothing; no backend is dialled; and the same token without the fault is let in."""

from __future__ import annotations

import asyncio
import base64
import json
import re

import pytest

from cryptography.hazmat.primitives import serialization

from harness import secrets, tokens
from harness.client import upgrade
from harness.tokens import KEYS, b64, claims, mint, sign
from harness.world import World


def unsigned(header: dict) -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims()).encode())}."


def with_secret(secret: bytes, header: dict) -> str:
    """Signed with HS256 by something that is no secret."""
    text = f"{b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'} | header).encode())}.{b64(json.dumps(claims()).encode())}"
    return f"{text}.{b64(tokens.Secret('', secret).sign(text.encode()))}"


def public(key: str, encoding: serialization.Encoding) -> bytes:
    return KEYS[key].key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def split(token: str) -> list[str]:
    return token.split(".")


def flipped(token: str) -> str:
    head, body, signature = split(token)
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[5] ^= 1
    return f"{head}.{body}.{b64(bytes(raw))}"


def as_der(token: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    head, body, signature = split(token)
    raw = base64.urlsafe_b64decode(signature + "==")
    return f"{head}.{body}.{b64(encode_dss_signature(int.from_bytes(raw[:32], 'big'), int.from_bytes(raw[32:], 'big')))}"


def loose_last_letter(token: str) -> str:
    """The same bytes, spelled with unused bits set in the last letter."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def duplicate(claim: str, value: str) -> str:
    return json.dumps(claims())[:-1] + f', "{claim}": {value}}}'


def embedded(key) -> dict:
    return {"jwk": tokens.Key("es-1", "ES256", key).jwk, "kid": None}


PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER

ATTACKS = {
    "alg none": lambda: unsigned({"alg": "none", "typ": "JWT"}),
    "alg None": lambda: unsigned({"alg": "None", "typ": "JWT", "kid": "es-1"}),
    "alg empty": lambda: unsigned({"alg": "", "typ": "JWT"}),
    "alg null": lambda: unsigned({"alg": None, "typ": "JWT"}),
    "alg missing": lambda: sign(header={"alg": None}),
    "alg in lower case": lambda: sign(header='{"alg":"es256","typ":"JWT","kid":"es-1"}'),
    "alg not allowed": lambda: mint("rsa", alg="PS256"),
    "HS256 keyed with the public PEM": lambda: with_secret(public("rsa", PEM), {"kid": "rs-1"}),
    "HS256 keyed with the public DER": lambda: with_secret(public("es256", DER), {"kid": "es-1"}),
    "HS256 keyed with the JWK": lambda: with_secret(json.dumps(KEYS["es256"].jwk).encode(), {"kid": "es-1"}),
    "HS256 with an empty secret": lambda: with_secret(b"", {"kid": "es-1"}),
    "HS256 with the secret of another issuer": lambda: mint("secret"),
    "no signature": lambda: mint().rpartition(".")[0] + ".",
    "two segments": lambda: mint().rpartition(".")[0],
    "four segments": lambda: mint() + ".e30",
    "five segments": lambda: mint() + ".e30.e30",
    "one bit flipped": lambda: flipped(mint()),
    "zero signature": lambda: mint().rpartition(".")[0] + "." + b64(bytes(64)),
    "DER signature": lambda: as_der(mint()),
    "payload of another token": lambda: ".".join([split(a := mint())[0], split(mint(sub="root"))[1], split(a)[2]]),
    "key not in the set": lambda: mint("stranger"),
    "kid unknown": lambda: mint(header={"kid": "nope"}),
    "kid of a key of another type": lambda: mint(header={"kid": "rs-1"}),
    "kid as a path": lambda: mint(header={"kid": "../../../dev/null"}),
    "kid as SQL": lambda: mint(header={"kid": "x' UNION SELECT 'AAAA'-- -"}),
    "kid no string": lambda: mint(header={"kid": 1}),
    "key in the header": lambda: mint("stranger", header=embedded(KEYS["stranger"].key)),
    "crit unknown": lambda: mint(header={"crit": ["exp2"], "exp2": 1}),
    "crit empty": lambda: mint(header={"crit": []}),
    "b64 false": lambda: mint(header={"b64": False, "crit": ["b64"]}),
    "typ of another kind": lambda: mint(header={"typ": "dpop+jwt"}),
    "header with a member twice": lambda: sign(header='{"alg":"none","alg":"ES256","typ":"JWT","kid":"es-1"}'),
    "header with a tail": lambda: sign(header='{"alg":"ES256","typ":"JWT","kid":"es-1"}x'),
    "header no object": lambda: sign(header='["ES256"]'),
    "claim twice": lambda: sign(payload=duplicate("sub", '"root"')),
    "expired": lambda: mint(exp="-60"),
    "exp missing": lambda: mint(exp=None),
    "exp as text": lambda: mint(exp=str(claims()["exp"])),
    "exp too far away": lambda: mint(exp="+864000"),
    "not yet valid": lambda: mint(nbf="+600"),
    "issued in the future": lambda: mint(iat="+600"),
    "iss wrong": lambda: mint(iss="https://id.example.test.evil.test"),
    "iss missing": lambda: mint(iss=None),
    "iss with a slash more": lambda: mint(iss="https://id.example.test/"),
    "aud wrong": lambda: mint(aud="shop"),
    "aud missing": lambda: mint(aud=None),
    "aud list without ours": lambda: mint(aud=["shop", "chat2"]),
    "aud empty": lambda: mint(aud=[]),
    "sub missing": lambda: mint(sub=None),
    "sub empty": lambda: mint(sub=""),
    "sub no string": lambda: mint(sub=7),
    "sub with a line break": lambda: mint(sub="alice\r\nX-Admin: 1"),
    "payload empty": lambda: sign(payload=""),
    "payload no JSON": lambda: sign(payload="hello"),
    "payload with a tail": lambda: sign(payload=json.dumps(claims()) + " x"),
    "payload no UTF-8": lambda: sign(payload=json.dumps(claims(name="ä"), ensure_ascii=False).encode("latin-1")),
    "padded base64": lambda: mint() + "==",
    "loose last letter": lambda: loose_last_letter(mint()),
    "oversized": lambda: mint(filler="x" * 12000),
}


def steady(raw: bytes) -> bytes:
    """An answer without what the clock puts into it."""
    return re.sub(rb"(?im)^date: [^\r]*\r\n", b"", raw)


async def answer_to(world: World, token: str, by: str = "header") -> bytes:
    gateway = await world.gateway()
    path, headers = "/chat", []
    if by == "header":
        headers.append(("Authorization", f"Bearer {token}"))
    elif by == "cookie":
        headers += [("Origin", "https://app.example.com"), ("Cookie", f"access_token={token}")]
    elif by == "subprotocol":
        headers.append(("Sec-WebSocket-Protocol", f"bearer.{token}, chat.v1"))
    else:
        path += f"?token={token}"
    client = await world.connect(gateway)
    client.write(upgrade(path, headers=headers))
    answer = await client.read_answer()
    client.reset()
    return steady(answer.raw)


@pytest.fixture(scope="module")
def usual(world: World) -> bytes:
    """What a plain forgery is told: the measure of all other answers."""
    return world.run(answer_to(world, flipped(mint())))


@pytest.mark.parametrize("by", ["header", "cookie", "subprotocol", "query"])
@pytest.mark.parametrize("name", ATTACKS)
def test_attack(world: World, usual, name, by):
    token = secrets.remember("a forged token", ATTACKS[name]())
    if by == "subprotocol" and ("=" in token):
        pytest.skip("no such subprotocol can be written (RFC 6455 §4.1)")
    world.backend.play(None)
    answer = world.run(answer_to(world, token, by))
    assert not any(arrival.raw for arrival in world.backend.arrivals)
    if name == "oversized" and not answer.startswith(b"HTTP/1.1 401"):
        assert answer.startswith(b"HTTP/1.1 431") or answer.startswith(b"HTTP/1.1 414")
        return
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:60]
    assert answer == usual


def test_the_same_tokens_without_the_fault(world: World):
    world.backend.play(None)

    async def play():
        for token in (mint(), mint("rsa"), mint("ed25519"), sign(payload=json.dumps(claims(name="ä"), ensure_ascii=False))):
            assert (await answer_to(world, token)).startswith(b"HTTP/1.1 101 ")

    world.run(play())


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_no_address_in_a_token_is_visited(world: World, usual, member):
    async def play():
        visitors = []
        server = await asyncio.start_server(lambda reader, writer: visitors.append(writer), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
        for header in ({member: url}, {member: url, "kid": "unknown"}):
            assert await answer_to(world, mint("stranger", header=header)) == usual
        good = await answer_to(world, mint(header={member: url}))
        assert good.startswith(b"HTTP/1.1 101 ") or good == usual
        assert not visitors
        server.close()

    world.run(play())


def test_opaque_tokens_get_the_same_answer(world: World, usual):
    """Unknown, revoked, expired: the same words as for a forged JWT."""

    async def play():
        gateway = await world.gateway()
        issued = (await gateway.admin("POST", "/v1/tokens", {"sub": "robot", "ttl": "1h"})).json
        secrets.remember("an opaque token", issued["token"])
        good = await answer_to(world, issued["token"])
        assert good.startswith(b"HTTP/1.1 101 ")
        await gateway.admin("DELETE", f"/v1/tokens/{issued['id']}")
        assert await answer_to(world, issued["token"]) == usual
        other = issued["token"][:-3] + ("abc" if issued["token"][-3:] != "abc" else "xyz")
        assert await answer_to(world, other) == usual
        assert await answer_to(world, issued["token"][:20]) == usual

    world.run(play())
