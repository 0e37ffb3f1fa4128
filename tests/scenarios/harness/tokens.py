"""JSON Web Tokens, good and bad, signed here and now by keys made for this run. Written against the RFCs with nothing but the
primitives, so that a malformed token can be asked for as easily as a good one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from . import secrets

ISSUER = "https://id.example.test"
AUDIENCE = "chat"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_int(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A signing key with its public JWK."""

    def __init__(self, kid: str, alg: str, key):
        self.kid, self.alg, self.key = kid, alg, key

    @property
    def jwk(self) -> dict:
        jwk = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        public = self.key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return jwk | {"kty": "RSA", "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
            crv = {256: "P-256", 384: "P-384"}[public.curve.key_size]
            return jwk | {"kty": "EC", "crv": crv, "x": b64_int(numbers.x, size), "y": b64_int(numbers.y, size)}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return jwk | {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes, alg: str | None = None) -> bytes:
        alg = alg or self.alg
        if alg == "EdDSA":
            return self.key.sign(data)
        digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[alg[2:]]()
        if alg.startswith("RS"):
            return self.key.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            return self.key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(digest)))
        size = (self.key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


class Secret:
    """A shared secret for HS256."""

    def __init__(self, kid: str, value: bytes, alg: str = "HS256"):
        self.kid, self.value, self.alg = kid, value, alg

    def sign(self, data: bytes, alg: str | None = None) -> bytes:
        name = {"256": "sha256", "384": "sha384", "512": "sha512"}[(alg or self.alg)[2:]]
        return hmac.new(self.value, data, getattr(hashlib, name)).digest()


def _ec() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


KEYS = {
    "es256": Key("es-1", "ES256", _ec()),
    "next": Key("es-2", "ES256", _ec()),
    "ed25519": Key("ed-1", "EdDSA", ed25519.Ed25519PrivateKey.generate()),
    "rsa": Key("rs-1", "RS256", rsa.generate_private_key(65537, 2048)),
    "weak": Key("rs-weak", "RS256", rsa.generate_private_key(65537, 1024)),
    "stranger": Key("es-1", "ES256", _ec()),  # claims the name of a known key
    "secret": Secret("hs-1", os.urandom(32).hex().encode()),
}
PUBLISHED = ["es256", "ed25519", "rsa"]
secrets.remember("HMAC secret", KEYS["secret"].value.decode())


def key_set(*names: str) -> str:
    return json.dumps({"keys": [KEYS[name].jwk for name in names]})


def claims(**changes) -> dict:
    """Claims that hold for an hour. `exp`, `nbf`, `iat` may be given as text like "+60" or "-60", relative to now; null removes one."""
    now = int(time.time())
    result = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 3600, "jti": b64(os.urandom(9))} | changes
    for name, value in list(result.items()):
        if value is None:
            del result[name]
        elif isinstance(value, str) and value[:1] in "+-" and value[1:].isdigit():
            result[name] = now + int(value)
    return result


def sign(key: str = "es256", header: dict | str | None = None, payload: dict | str | bytes | None = None,
         alg: str | None = None) -> str:
    """A compact JWS. `header` changes the usual one; given as text it replaces it byte for byte, as does `payload`."""
    signer = KEYS[key]
    if not isinstance(header, str):
        full = {"alg": alg or signer.alg, "typ": "JWT", "kid": signer.kid} | (header or {})
        header = json.dumps({name: value for name, value in full.items() if value is not None})
    if not isinstance(payload, (str, bytes)):
        payload = json.dumps(claims() if payload is None else payload)
    text = f"{b64(header.encode())}.{b64(payload.encode() if isinstance(payload, str) else payload)}"
    return secrets.remember("a JWT", f"{text}.{b64(signer.sign(text.encode(), alg))}")


def mint(key: str = "es256", header: dict | None = None, alg: str | None = None, **changes) -> str:
    """A token with the usual claims and these `changes`."""
    return sign(key, header, claims(**changes), alg)


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
