"""Lets h2spec judge the gateway's HTTP/2, strict cases included, and writes its verdict into docs/conformance.md.

h2spec is no part of the project: CHECKOUT is where its source is, built here by Go, with the dependencies that it pins.

usage: h2spec.py CHECKOUT [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

import page

sys.path.insert(0, str(page.ROOT / "tests" / "scenarios"))

from harness.certificates import Authority  # noqa: E402
from harness.gateway import Gateway  # noqa: E402

#: Section and case, and why another behaviour is right.
CLOSED_DATA = ("nghttp2 keeps nothing of a stream that is over and drops DATA there, as it must where the gateway has reset it; looser than "
               "RFC 9113 §5.1 where the client has")
ACCEPTED = {
    "generic/4/4": "nothing that is asked for here has a body or trailers: the stream is reset",
    "http2/5.1/5": CLOSED_DATA,  # when the answer was there first
    "http2/5.1/8": CLOSED_DATA,
    "http2/5.1/11": CLOSED_DATA,
    "http2/6.1/2": CLOSED_DATA,
    "http2/5.1.1/2": ("a number that was jumped over is not told from one of a stream that is over, where HEADERS can be the trailers of a "
                      "request that the gateway has reset; looser than RFC 9113 §5.1.1, and no stream comes of it"),
    "http2/5.3.1/2": "RFC 9113 §5.3.2 has taken back the dependencies between streams that this case is about",
}


def config() -> dict:
    return {
        "listen": [{"address": "127.0.0.1:0", "tls": {"certificate": "gateway.pem", "key": "gateway.key"}, "http2": True}],
        "store": {"memory": {}},
        "threads": 1,
        "limits": {"pending": 1000, "pending_per_ip": 1000, "handshakes_per_ip": "10000/s"},
        "routes": [{"name": "any", "match": {"host": "127.0.0.1", "prefix": "/"}, "upstream": {"url": "ws://127.0.0.1:9/"},
                    "authenticate": [{"opaque": {"from": ["header"]}}]}],
    }


async def play(program: pathlib.Path, folder: pathlib.Path) -> xml.Element:
    Authority(folder, "house").issue("gateway", "127.0.0.1", "localhost")
    gateway = Gateway(folder, config(), "")
    await gateway.start()
    try:
        with open(folder / "h2spec.out", "wb") as output:
            process = await asyncio.create_subprocess_exec(
                str(program), "--tls", "--insecure", "--strict", "--timeout", "5", "--host", "127.0.0.1", "--port",
                str(gateway.addresses["127.0.0.1"][1]), "--junit-report", str(folder / "h2spec.xml"), cwd=folder,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT)
            await asyncio.wait_for(process.wait(), 1800)
    finally:
        status = await gateway.stop()
    assert status == 0, f"the gateway ended with {status}: {gateway.errors.decode(errors='replace')[-2000:]}"
    assert (folder / "h2spec.xml").exists(), (folder / "h2spec.out").read_text(errors="replace")[-2000:]
    return xml.parse(folder / "h2spec.xml").getroot()


def report(root: xml.Element, checkout: pathlib.Path) -> tuple[str, list[str]]:
    parts: dict[str, collections.Counter] = {}
    wrong, accepted = [], []
    for suite in root.iter("testsuite"):
        part = suite.attrib["package"].split("/")[0]
        count = parts.setdefault({"generic": "generic", "hpack": "HPACK, RFC 7541", "http2": "HTTP/2, RFC 7540"}.get(part, part),
                                 collections.Counter())
        for number, case in enumerate(suite.findall("testcase"), 1):
            name = f"{suite.attrib['package']}/{number}"
            trouble = case.find("failure") if case.find("failure") is not None else case.find("error")
            if trouble is not None and name not in ACCEPTED:
                count["failed"] += 1
                got = re.sub(r"\s+", " ", (trouble.text or "").strip())
                wrong.append(f"{name} {case.attrib['classname']}: {got}")
            elif trouble is not None:
                count["explained"] += 1
                accepted.append(f"{name} {case.attrib['classname']}: {ACCEPTED[name]}")
            else:
                count["skipped" if case.find("skipped") is not None else "passed"] += 1
    assert sum(count["passed"] for count in parts.values()) > 0, "h2spec has judged nothing"
    words = ["passed", "skipped", "explained", "failed"]
    text = f"{page.today()}, gateway {page.revision()}; h2spec at {page.revision(checkout)}, strict.\n\n" + page.table(
        ["part", *words], [[part, *(str(count[word]) for word in words)] for part, count in parts.items()])
    if accepted:
        text += "\n\n" + "\n".join(f"- {line}" for line in accepted)
    if wrong:
        text += "\n\nNot passed:\n\n" + "\n".join(f"- {line}" for line in wrong)
    return text, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=pathlib.Path, help="where h2spec is checked out")
    parser.add_argument("--write", action="store_true", help="into docs/conformance.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sallyport-h2spec-") as scratch:
        folder = pathlib.Path(scratch)
        built = subprocess.run(["go", "build", "-o", str(folder / "h2spec"), "./cmd/h2spec"], cwd=given.checkout,
                               env=os.environ | {"GOFLAGS": "-mod=mod"})
        if built.returncode:
            print(f"{given.checkout} cannot be built", file=sys.stderr)
            return 2
        text, wrong = report(asyncio.run(play(folder / "h2spec", folder)), given.checkout)
    print(text)
    if given.write:
        page.write("h2spec", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
