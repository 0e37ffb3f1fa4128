"""Compares our verdict on access tokens with that of a second JOSE library, Debian's python3-jwcrypto.

Tokens of every algorithm are made with jwcrypto, then broken in many ways. Nothing may be accepted here that jwcrypto refuses; where
we refuse what it accepts, our reason must be one of those in STRICTER. Cases with a known answer state it.

Run: SALLYPORT_BUILD=build/asan /usr/bin/python3 -m pytest tests/conformance/jose_differential.py
"""

import base64
import functools
import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest
from jwcrypto import jwk, jws, jwt
from jwcrypto.common import JWException

ROOT = Path(__file__).resolve().parents[2]
VERDICT = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "jose_verdict"

NOW = int(time.time())
LEEWAY = 30
ISSUER = "https://idp.example/"
AUDIENCE = "chat"
ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
              "ES256", "ES384", "ES512", "EdDSA"]

# Our refusals of tokens that jwcrypto accepts, and why each is right.
STRICTER = [
    (r"no canonical base64url", "one value has one spelling; Python's decoder skips what it does not know"),
    (r"JSON: duplicate member", "two parsers would read two different tokens; Python keeps the last"),
    (r"JSON: Problem while parsing a number", "an integer beyond 64 bits"),
    (r"JSON: Problem while parsing a string", "a lone surrogate"),
    (r"JSON: .* improper structure", "NaN, which only Python takes for JSON"),
    (r"JSON: nested too deep", "no token needs more than a few levels"),
    (r"`crit`, which is not understood", "an extension changes what the signature means"),
    (r"`typ` is", "a token made for another purpose is no access token"),
    (r"does not fit any key", "the key's own `alg` decides what it is for"),
    (r"claim `(exp|nbf)` is (no number|out of range)", "times are numbers from 0 to the year 9999"),
    (r"claim `sub` (is|holds)", "the subject stands in a header: text, not empty, harmless there"),
    (r"not valid before", "jwcrypto looks at nbf only where a value of it is demanded"),
    (r"issued .* in the future", "jwcrypto does not look at iat"),
    (r"lifetime of", "jwcrypto has no longest lifetime"),
]


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_key(alg, kid):
    family = alg[:2]
    if family == "HS":
        return jwk.JWK.generate(kty="oct", size=int(alg[2:]), alg=alg, use="sig", kid=kid)
    if family in ("RS", "PS"):
        return jwk.JWK.generate(kty="RSA", size=2048, alg=alg, use="sig", kid=kid)
    if family == "ES":
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
        return jwk.JWK.generate(kty="EC", crv=curve, alg=alg, use="sig", kid=kid)
    return jwk.JWK.generate(kty="OKP", crv="Ed25519", alg=alg, use="sig", kid=kid)


KEYS = {alg: make_key(alg, "key-" + alg) for alg in ALGORITHMS}


def public(key):
    return json.loads(key.export() if key["kty"] == "oct" else key.export_public())


JWKS = {"keys": [public(key) for key in KEYS.values()]}


def claims(**changes):
    out = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 300}
    out.update(changes)
    return {name: value for name, value in out.items() if value is not ...}


def sign(alg, payload, header=None, key=None, **members):
    """A token whose signature is right, whatever its header and payload are."""
    key = key or KEYS[alg]
    if header is None:
        header = {"alg": alg, "typ": "JWT", "kid": "key-" + alg, **members}
        header = {name: value for name, value in header.items() if value is not ...}
    header = header if isinstance(header, (str, bytes)) else json.dumps(header)
    payload = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
    text = b64(header) + "." + b64(payload)
    core = jws.JWSCore(alg, jwk.JWK(**{**json.loads(key.export()), "alg": alg}), json.dumps({"alg": alg}), b"", algs=[alg])
    return text + "." + b64(core.engine.sign(core.key, text.encode()))


class Case:
    def __init__(self, name, token, wanted=None, jwks=None, algorithms=None):
        self.name = name
        self.token = token
        self.wanted = wanted
        self.jwks = jwks or JWKS
        self.algorithms = algorithms or ALGORITHMS

    def request(self):
        policy = {"now": NOW, "issuer": ISSUER, "audience": AUDIENCE, "algorithms": self.algorithms, "leeway": LEEWAY}
        return json.dumps({"token": self.token, "jwks": self.jwks, "policy": policy})


@functools.lru_cache(maxsize=None)
def key_set(text):
    return jwk.JWKSet.from_json(text)


@pytest.fixture(autouse=True)
def one_clock(monkeypatch):
    """jwcrypto asks the clock itself."""
    monkeypatch.setattr(jwt.time, "time", lambda: NOW)


def theirs(case):
    try:
        keys = key_set(json.dumps(case.jwks))
        token = jwt.JWT(algs=case.algorithms, check_claims={"iss": ISSUER, "aud": AUDIENCE, "sub": None, "exp": None})
        token.leeway = LEEWAY
        token.deserialize(case.token, keys)
        return True
    except (JWException, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def ours(cases):
    lines = "\n".join(case.request() for case in cases) + "\n"
    done = subprocess.run([VERDICT], input=lines, capture_output=True, text=True, check=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def compare(cases):
    disagreements = []
    for case, answer in zip(cases, ours(cases)):
        reference = theirs(case)
        accept = answer["accept"]
        if case.wanted is not None and accept != case.wanted:
            disagreements.append(("wanted %s" % case.wanted, case, answer))
        elif accept and not reference:
            disagreements.append(("looser than jwcrypto", case, answer))
        elif reference and not accept and not any(re.search(pattern, answer["detail"]) for pattern, _ in STRICTER):
            disagreements.append(("stricter without a stated reason", case, answer))
    shown = "\n".join("%s: %s\n  %s\n  %s" % (what, case.name, answer, case.request()[:3000])
                      for what, case, answer in disagreements[:5])
    assert not disagreements, "%d of %d\n%s" % (len(disagreements), len(cases), shown)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_valid_tokens(alg):
    cases = [Case("plain", sign(alg, claims()), True),
             Case("aud list", sign(alg, claims(aud=["mail", AUDIENCE])), True),
             Case("one algorithm", sign(alg, claims()), True, algorithms=[alg]),
             Case("one key", sign(alg, claims()), True, {"keys": [public(KEYS[alg])]}),
             Case("one key, no kid", sign(alg, claims(), kid=...), True, {"keys": [public(KEYS[alg])]}),
             Case("more claims", sign(alg, claims(scope="a b", roles=["x"], cnf={"jkt": "y"}, n=1.5, deep=[[{"a": None}]])), True),
             Case("unicode", sign(alg, claims(name="Zoë 😀")), True),
             Case("spaces", sign(alg, json.dumps(claims(), indent=4)), True),
             Case("made by jwcrypto alone", by_jwcrypto(alg), True)]
    compare(cases)


def by_jwcrypto(alg):
    token = jwt.JWT(header={"alg": alg, "kid": "key-" + alg}, claims=claims(), algs=[alg])
    token.make_signed_token(KEYS[alg])
    return token.serialize()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_text_mutations(alg):
    chance = random.Random("text " + alg)
    token = sign(alg, claims())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cases = []
    for number in range(120):
        text = list(token)
        at = chance.randrange(len(text))
        kind = chance.choice(["flip", "replace", "insert", "delete", "strange", "swap", "cut", "double"])
        if kind == "flip":
            text[at] = chr(ord(text[at]) ^ (1 << chance.randrange(7)))
        elif kind == "replace":
            text[at] = chance.choice(alphabet)
        elif kind == "insert":
            text.insert(at, chance.choice(alphabet))
        elif kind == "delete":
            del text[at]
        elif kind == "strange":
            text.insert(at, chance.choice("=.+/ \n\0?é%"))
        elif kind == "swap":
            parts = token.split(".")
            chance.shuffle(parts)
            text = list(".".join(parts))
        elif kind == "cut":
            text = text[:at]
        else:
            text = text[:at] + text[at // 2:]
        mutated = "".join(text)
        if mutated != token:
            cases.append(Case("%s %d" % (kind, number), mutated, False))
    # The last characters of each part are where unused bits hide.
    head, payload, signature = token.split(".")
    for last in alphabet:
        for mutated in (head[:-1] + last + "." + payload + "." + signature, head + "." + payload[:-1] + last + "." + signature,
                        head + "." + payload + "." + signature[:-1] + last):
            if mutated != token:
                cases.append(Case("last " + last, mutated, False))
    compare(cases)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signature_bits(alg):
    token = sign(alg, claims())
    head, signature = token.rsplit(".", 1)
    raw = unb64(signature)
    cases = []
    for at in range(0, len(raw), max(1, len(raw) // 48)):
        changed = bytearray(raw)
        changed[at] ^= 1 << (at % 8)
        cases.append(Case("bit of byte %d" % at, head + "." + b64(bytes(changed)), False))
    for name, changed in {"empty": b"", "zeros": bytes(len(raw)), "ones": b"\xff" * len(raw), "short": raw[:-1], "long": raw + b"\0",
                          "zero first": b"\0" + raw, "reversed": raw[::-1], "twice": raw + raw, "half": raw[:len(raw) // 2]}.items():
        cases.append(Case(name, head + "." + b64(changed), False))
    if alg.startswith("ES"):
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        half = len(raw) // 2
        der = encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
        cases.append(Case("DER", head + "." + b64(der), False))
    compare(cases)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_algorithm_swaps(alg):
    cases = []
    for other in ALGORITHMS + ["none", "None", "NONE", "", "hs256", "ES256K", "RSA-OAEP", None, 1, ["HS256"]]:
        if other == alg:
            continue
        _, payload, signature = sign(alg, claims()).split(".")
        header = b64(json.dumps({"alg": other, "kid": "key-" + alg}))
        cases.append(Case("header says %s" % other, ".".join([header, payload, signature]), False))
        cases.append(Case("header says %s, unsigned" % other, ".".join([header, payload, ""]), False))
        if other in ALGORITHMS:
            cases.append(Case("signed as %s, key of %s" % (other, alg), sign(other, claims(), kid="key-" + alg), False))
            cases.append(Case("%s only allowed" % other, sign(alg, claims()), False, algorithms=[other]))
    if not alg.startswith("HS"):
        # The public key in every spelling, taken for a shared secret.
        for name, secret in {"pem": KEYS[alg].export_to_pem(), "jwk": KEYS[alg].export_public().encode()}.items():
            key = jwk.JWK(kty="oct", k=b64(secret))
            for hs in ("HS256", "HS384", "HS512"):
                cases.append(Case("%s keyed with the %s" % (hs, name), sign(hs, claims(), kid="key-" + alg, key=key), False))
    # RSA keys without `alg` serve both paddings, as far as they are allowed.
    if alg[:2] in ("RS", "PS"):
        open_key = {name: value for name, value in public(KEYS[alg]).items() if name != "alg"}
        for other in ALGORITHMS[3:9]:
            token = sign(other, claims(), key=KEYS[alg], kid="key-" + alg)
            cases.append(Case("open key, " + other, token, True, {"keys": [open_key]}))
            cases.append(Case("bound key, " + other, token, other == alg, {"keys": [public(KEYS[alg])]}))
    compare(cases)


@pytest.mark.parametrize("alg", ["HS256", "RS256", "PS256", "ES256", "EdDSA"])
def test_headers(alg):
    stranger = make_key(alg, "key-" + alg)
    embedded = public(stranger)
    good = {"alg": alg, "kid": "key-" + alg}
    cases = [Case("typ " + repr(typ), sign(alg, claims(), typ=typ), wanted)
             for typ, wanted in [("JWT", True), ("jwt", True), ("at+jwt", True), ("application/at+jwt", True), (..., True),
                                 ("dpop+jwt", False), ("", False), (1, False), (None, False)]]
    cases += [Case("kid " + repr(kid), sign(alg, claims(), kid=kid), False)
              for kid in ["nope", "", "../../dev/null", "key-" + alg + " ", "KEY-" + alg, 1, None, ["key-" + alg]]]
    cases += [
        Case("crit", sign(alg, claims(), crit=["exp"], exp=1), False),
        Case("crit empty", sign(alg, claims(), crit=[]), False),
        Case("b64 false", sign(alg, claims(), b64=False, crit=["b64"]), False),
        Case("jku", sign(alg, claims(), jku="http://127.0.0.1:1/"), True),
        Case("own jwk", sign(alg, claims(), key=stranger, jwk=embedded), False),
        Case("own jwk, no kid", sign(alg, claims(), key=stranger, jwk=embedded, kid=...), False),
        Case("stranger", sign(alg, claims(), key=stranger), False),
        Case("duplicate alg", sign(alg, claims(), header='{"alg":"none",' + json.dumps(good)[1:]), False),
        Case("escaped duplicate", sign(alg, claims(), header='{"\\u0061lg":"none",' + json.dumps(good)[1:]), False),
        Case("trailing", sign(alg, claims(), header=json.dumps(good) + "x"), False),
        Case("array", sign(alg, claims(), header=json.dumps([good])), False),
        Case("not UTF-8", sign(alg, claims(), header=b'{"x":"\xff",' + json.dumps(good).encode()[1:]), False),
        Case("byte order mark", sign(alg, claims(), header="\ufeff" + json.dumps(good)), False),
        Case("spaces", sign(alg, claims(), header=json.dumps(good, indent=2)), True),
        Case("encryption key", sign(alg, claims()), False, {"keys": [{**public(KEYS[alg]), "use": "enc"}]}),
    ]
    compare(cases)


@pytest.mark.parametrize("alg", ["HS256", "ES256", "EdDSA"])
def test_claims(alg):
    cases = []
    for exp, wanted in [(NOW + 3600, True), (NOW - 5, True), (NOW - 120, False), (0, False), (-1, False), (..., False), (None, False),
                        (str(NOW + 300), False), (True, False), (NOW + 300.5, True), ([NOW + 300], False), ({}, False),
                        (10 ** 18, False), (10 ** 30, False), (NOW + 10 * 86400, False)]:
        cases.append(Case("exp %r" % (exp,), sign(alg, claims(exp=exp)), wanted))
    for nbf, wanted in [(NOW - 60, True), (NOW + 5, True), (NOW + 300, False), (..., True), (str(NOW), False), (None, False), (NOW - 0.5, True)]:
        cases.append(Case("nbf %r" % (nbf,), sign(alg, claims(nbf=nbf)), wanted))
    for iat, wanted in [(NOW - 60, True), (..., True), (NOW + 300, False), ("x", False)]:
        cases.append(Case("iat %r" % (iat,), sign(alg, claims(iat=iat)), wanted))
    for iss, wanted in [(ISSUER, True), (ISSUER[:-1], False), (ISSUER.upper(), False), ("", False), (..., False), ([ISSUER], False), (None, False)]:
        cases.append(Case("iss %r" % (iss,), sign(alg, claims(iss=iss)), wanted))
    for aud, wanted in [(AUDIENCE, True), ([AUDIENCE], True), (["a", "b"], False), ([], False), ("", False), (..., False), (None, False),
                        (AUDIENCE + " ", False), ([[AUDIENCE]], False), ({AUDIENCE: 1}, False), ("chat room", False)]:
        cases.append(Case("aud %r" % (aud,), sign(alg, claims(aud=aud)), wanted))
    for sub, wanted in [("bob", True), ("", False), (..., False), (1, False), (None, False), ("a\r\nb", False), (" a", False), ("é", True)]:
        cases.append(Case("sub %r" % (sub,), sign(alg, claims(sub=sub)), wanted))
    text = json.dumps(claims())
    for name, payload in {"duplicate sub": '{"sub":"admin",' + text[1:], "array": "[" + text + "]", "empty": "", "null": "null",
                          "not JSON": text + "x", "NaN": text[:-1] + ',"x":NaN}', "lone surrogate": text[:-1] + ',"x":"\\ud800"}',
                          "not UTF-8": text[:-1].encode() + b',"x":"\xff"}', "deep": text[:-1] + ',"x":' + "[" * 200 + "]" * 200 + "}",
                          "text": '"' + "x" * 10 + '"'}.items():
        cases.append(Case(name, sign(alg, payload), False))
    compare(cases)
