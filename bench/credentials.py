"""Certificates, keys and tokens of one run."""

import base64
import json
import os
import pathlib
import subprocess

HOST = "bench.example.com"
ORIGIN = "https://app.example.com"
ISSUER = "https://id.example.com"
ALGORITHMS = ("ES256", "EdDSA", "RS256", "HS256")


def openssl(*arguments) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def private_key(path: pathlib.Path, kind: str) -> None:
    options = {"EC": ["-pkeyopt", "ec_paramgen_curve:P-256"], "RSA": ["-pkeyopt", "rsa_keygen_bits:2048"], "ED25519": []}[kind]
    openssl("genpkey", "-algorithm", kind, *options, "-out", path)


def public_jwk(path: pathlib.Path, algorithm: str) -> dict:
    key = {"kid": algorithm, "use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        modulus = openssl("rsa", "-in", path, "-modulus", "-noout").decode().strip().split("=")[1]
        return key | {"kty": "RSA", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
    point = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
    if algorithm == "EdDSA":
        return key | {"kty": "OKP", "crv": "Ed25519", "x": base64url(point[-32:])}
    return key | {"kty": "EC", "crv": "P-256", "x": base64url(point[-64:-32]), "y": base64url(point[-32:])}


def make(folder: pathlib.Path, load: pathlib.Path) -> None:
    """ecdsa.* and rsa.* (certificate, key, both) for TLS; sign-ALG to sign with, keys.jwks and ES256.pem to verify with; token-ALG,
    one that is good for an hour; admin, the operators' token."""
    for name, kind in (("ecdsa", "EC"), ("rsa", "RSA")):
        private_key(folder / f"{name}.key", kind)
        openssl("req", "-x509", "-new", "-key", folder / f"{name}.key", "-days", "30", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                "-out", folder / f"{name}.crt")
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())
    for algorithm, kind in (("ES256", "EC"), ("EdDSA", "ED25519"), ("RS256", "RSA")):
        private_key(folder / f"sign-{algorithm}", kind)
    keys = [public_jwk(folder / f"sign-{algorithm}", algorithm) for algorithm in ALGORITHMS if algorithm != "HS256"]
    (folder / "keys.jwks").write_text(json.dumps({"keys": keys}))
    openssl("pkey", "-in", folder / "sign-ES256", "-pubout", "-out", folder / "ES256.pem")
    (folder / "sign-HS256").write_text(base64url(os.urandom(32)))
    (folder / "admin").write_text(base64url(os.urandom(32)) + "\n")
    for algorithm in ALGORITHMS:
        made = subprocess.run([load, "--port", "1", "--sign", algorithm, folder / f"sign-{algorithm}"], input="token\n", check=True, capture_output=True,
                              text=True)
        (folder / f"token-{algorithm}").write_text(json.loads(made.stdout)["token"] + "\n")
    for path in folder.iterdir():
        path.chmod(0o600)
