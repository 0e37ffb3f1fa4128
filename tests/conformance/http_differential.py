"""Compares our reading of requests with that of llhttp, the parser inside Node, in its strict mode.

Requests are made from the vectors and changed in many ways: bytes, line ends, fields, methods, targets, versions, cuts. What llhttp
refuses must be refused here. What both accept must be the same request: method, target, names, values and where it ends.

Run: SALLYPORT_BUILD=build/asan /usr/bin/python3 -m pytest tests/conformance/http_differential.py
     CASES=1000000 for a longer run, SEED=1 for another one.
"""

import base64
import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERDICT = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "http_verdict"
LLHTTP = ROOT / "tests/conformance/llhttp_verdict.cjs"
CASES = int(os.environ.get("CASES", "20000"))
SEED = int(os.environ.get("SEED", "0"))
BATCH = 20000

METHODS = [b"GET", b"get", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI", b"M-SEARCH", b"GETX", b"GE", b"", b"G\tT", b"TRACE"]
TARGETS = [b"/", b"*", b"", b"//", b"/ws/echo", b"/%2e%2e/a", b"/a%41%c3%a9?q=%00", b"/a?b?c#d", b"http://gw.example.test/ws", b"ws://gw.example.test",
           b"http://u:p@h/", b"http:///", b"gw.example.test:80", b"/a\\b", b"/[x]|y", b"/\xc3\xa9", b"/a b", b"/\x7f", b"/?", b"/a;b", b"?x", b"/^`{}"]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.10", b"HTTP/01.1", b"http/1.1", b"HTTP/1.1 ", b" HTTP/1.1", b"RTSP/1.1", b"",
            b"HTTP/1", b"ICE/1.0", b"HTTP/ 1.1"]
ENDS = [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\r\n", b"\r\n ", b"\r\n\t", b" \r\n", b"\t\r\n", b"\0\r\n", b"\r\n\n", b"\x0b\r\n", b"\r\n\r", b"\x85", b""]
FIELDS = [b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 0x5",
          b"Content-Length: 5 ", b"Content-Length: 99999999999999999999", b"Content-Length:", b"Content-Length: 1 1", b"Content-Length: -1",
          b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding : chunked",
          b"Transfer-Encoding:\x0bchunked", b"transfer_encoding: chunked", b"Host: gw.example.test", b"Host: other", b"Host:", b"Host : a", b" Host: a",
          b"Connection: close", b"Connection: keep-alive, Upgrade", b"Connection: ,", b"Connection: upgrade\x0b", b"Upgrade: h2c", b"Upgrade:", b"Upgrade: ,",
          b"X", b":", b": x", b"X:", b"X: ", b"X:\t\ta\t", b"X: \xc3\xa9\xff", b"X: a\x01b", b"X: a\x7fb", b"X: a\0b", b"X\xe9: a", b"X(): a", b"X Y: a", b"X\t: a",
          b"X: a,\x0cb", b"X: \"quoted: yes\"", b"X-" + b"y" * 300 + b": z", b"X: " + b"z" * 300, b"Expect: 100-continue", b"Keep-Alive: 1", b"Proxy-Connection: close"]
STRANGE = bytes([0, 1, 8, 9, 10, 11, 12, 13, 31, 32, 34, 35, 37, 40, 44, 47, 58, 59, 60, 61, 64, 91, 92, 93, 95, 123, 126, 127, 128, 160, 194, 255])

# llhttp knows a list of methods, and some only with another protocol's version; here any token is one, and then all but GET are refused.
OF_METHODS = ("HPE_INVALID_METHOD", "HPE_INVALID_VERSION", "HPE_INVALID_CONSTANT")
# Accepted here and not there, and why that is right: what llhttp says, what the request has, the reason.
LOOSER = [("HPE_INVALID_CONTENT_LENGTH", rb"(?i)\r\ncontent-length:[ \t]*\d+ *\t[ \t]*\r\n", "RFC 9110 5.5: a tab around a value is no part of it")]
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def vectors():
    out = []
    for name in ("upgrade-requests.json", "llhttp-requests.json"):
        for case in json.loads((ROOT / "tests/vectors/http" / name).read_text())["cases"]:
            if "raw_base64" in case:
                raw = base64.b64decode(case["raw_base64"])
                # Those that are accepted lead further when they are changed.
                out += [raw] * (12 if case.get("expect") == "accept" else 1)
    return [raw for raw in out if len(raw) < 2000]


BASES = vectors()


def change(raw, chance):
    lines = raw.split(b"\r\n")
    kind = chance.randrange(12)
    if kind < 3 and raw:
        at = chance.randrange(len(raw))
        strange = bytes([chance.choice(STRANGE)])
        return raw[:at] + (strange if kind < 2 else b"") + raw[at + (kind > 0):]
    if kind == 3:
        ends = [found.start() for found in re.finditer(b"\r\n", raw)]
        if ends:
            at = chance.choice(ends)
            return raw[:at] + chance.choice(ENDS) + raw[at + 2:]
    if kind in (4, 5):
        lines.insert(min(len(lines), chance.randrange(1, 4)), chance.choice(FIELDS))
        return b"\r\n".join(lines)
    if kind == 6 and len(lines) > 3:
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        if chance.random() < 0.5:
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines.insert(one, lines[other])
        return b"\r\n".join(lines)
    if kind == 7:
        del lines[chance.randrange(len(lines))]
        return b"\r\n".join(lines)
    if kind in (8, 9):
        parts = lines[0].split(b" ")
        at = chance.randrange(len(parts))
        parts[at] = chance.choice([METHODS, TARGETS, VERSIONS][min(at, 2)])
        lines[0] = chance.choice([b" ", b" ", b" ", b" ", b"  ", b"\t", b"\x0b"]).join(parts)
        return b"\r\n".join(lines)
    if kind == 10:
        other = chance.choice(BASES)
        at = chance.randrange(len(raw) + 1)
        return raw[:at] + other[chance.randrange(len(other) + 1):]
    if chance.random() < 0.5:
        return raw[:chance.randrange(len(raw) + 1)]
    return chance.choice([b"\r\n", b"\n", b"\r", b" ", b""]) + raw + chance.choice([b"", b"\x81\x80abcd", b"GET / HTTP/1.1\r\n\r\n", b"\0"])


def requests(count, chance):
    for _ in range(count):
        raw = chance.choice(BASES)
        for _ in range(chance.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            raw = change(raw, chance)
        yield raw


def ask(command, cases):
    lines = b"".join(base64.b64encode(raw) + b"\n" for raw in cases)
    done = subprocess.run(command, input=lines, capture_output=True, check=True, timeout=600)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def text(encoded):
    return base64.b64decode(encoded)


def routed(target):
    """The path in the spelling that parse_path promises, and the query as it is."""
    target = re.sub(rb"^[A-Za-z]+://[^/?]*", b"", target)
    path, _, query = target.partition(b"?")

    def spelled(escape):
        byte = bytes([int(escape[1], 16)])
        return byte if byte in UNRESERVED else escape[0].upper()

    return re.sub(rb"%([0-9A-Fa-f]{2})", spelled, path) or b"/", query


def difference(raw, ours, theirs):
    """What must not be, or nothing."""
    if ours["request"] != "ok":
        return None
    if theirs["request"] in OF_METHODS and ours["upgrade"] == "http.method_not_allowed":
        return None
    if any(theirs["request"] == code and re.search(pattern, raw) for code, pattern, _ in LOOSER):
        return None
    if theirs["request"] != "ok":
        return "accepted, which llhttp does not"
    if text(ours["method"]) != text(theirs["method"]):
        return "another method"
    if theirs["version"] != "1.1":
        return "another version"
    if (text(ours["path"]), text(ours["query"])) != routed(text(theirs["target"])):
        return "another target"
    mine = [(text(name), text(value)) for name, value in ours["fields"]]
    # llhttp leaves white space at the end of a value.
    other = [(text(name), text(value).strip(b" \t")) for name, value in theirs["fields"]]
    if mine != other:
        return "other fields"
    if theirs["consumed"] is not None and ours["consumed"] != theirs["consumed"] and ours["upgrade"] == "ok":
        return "another end"
    return None


def test_llhttp():
    if shutil.which("node") is None:
        assert not os.environ.get("CI"), "node is not installed"
        pytest.skip("SKIPPED: node is not installed, so nothing was compared with llhttp")
    chance = random.Random(SEED)
    both = refused = 0
    for start in range(0, CASES, BATCH):
        cases = list(requests(min(BATCH, CASES - start), chance))
        ours = ask([str(VERDICT)], cases)
        theirs = ask(["node", "--no-deprecation", str(LLHTTP)], cases)
        for raw, mine, other in zip(cases, ours, theirs):
            what = difference(raw, mine, other)
            assert what is None, "%s\n  %r\n  ours   %s\n  llhttp %s" % (what, raw, mine, other)
            both += mine["upgrade"] == "ok" and other["request"] == "ok"
            refused += mine["request"] != "ok" and other["request"].startswith("HPE")
    # Neither side may have been right by saying the same of everything.
    assert both > CASES // 50 and refused > CASES // 10, (both, refused)
    print("%d requests: %d upgrades read alike, %d refused by both" % (CASES, both, refused))
