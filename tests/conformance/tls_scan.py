"""Lets sslscan and testssl look at the gateway's TLS, with an ECDSA certificate and with an RSA one, and writes what they find into
docs/conformance.md. Every finding of testssl that is not OK or mere information must be listed here with the reason why it may stand.

usage: tls_scan.py [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import page

sys.path.insert(0, str(page.ROOT / "tests" / "scenarios"))

from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from harness import sslscan  # noqa: E402
from harness.certificates import Authority  # noqa: E402
from harness.gateway import Gateway  # noqa: E402

#: What testssl complains of, and why it is left so.
ACCEPTED = {
    "cert_expirationStatus": "the certificate is made for the scan and holds for two days",
    "cert_notAfter": "the certificate is made for the scan and holds for two days",
    "cert_revocation": "the certificate is made for the scan; its authority publishes no revocations",
    "HSTS": "a promise for a whole host, to be made by whoever serves its pages; the gateway answers upgrades only",
    "HTTP_status_code": "testssl asks for a page; 426 is the answer to whoever does not upgrade",
    "engine_problem": "about the OpenSSL that testssl itself uses",
}
GOOD = {"OK", "INFO"}
#: Addresses of the two listeners, by the kind of the certificate's key.
LISTENERS = {"ECDSA": "127.0.0.1", "RSA": "127.0.0.2"}


def config() -> dict:
    return {
        "listen": [{"address": f"{address}:0", "tls": {"certificate": f"{kind}.pem", "key": f"{kind}.key"}}
                   for kind, address in LISTENERS.items()],
        "store": {"memory": {}},
        "threads": 1,
        "limits": {"pending": 1000, "pending_per_ip": 1000, "handshakes_per_ip": "10000/s"},
        "routes": [{"name": "any", "match": {"host": "localhost", "prefix": "/"}, "upstream": {"url": "ws://127.0.0.1:9/"},
                    "authenticate": [{"opaque": {"from": ["header"]}}]}],
    }


async def testssl(folder: pathlib.Path, kind: str, port: int) -> list[dict]:
    found = folder / f"testssl-{kind}.json"
    with open(folder / f"testssl-{kind}.out", "wb") as output:
        process = await asyncio.create_subprocess_exec(
            "testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--connect-timeout", "60", "--openssl-timeout", "60",
            "--full", "--add-ca", str(folder / "house-ca.pem"), "--ip", LISTENERS[kind], "--jsonfile", str(found), f"https://localhost:{port}/",
            cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT)
        await asyncio.wait_for(process.wait(), 3600)
    findings = json.loads(found.read_text())
    assert len(findings) > 80, f"testssl ended early: {(folder / f'testssl-{kind}.out').read_text(errors='replace')[-2000:]}"
    return findings


async def look(folder: pathlib.Path) -> tuple[dict[str, sslscan.Scan], dict[str, list[dict]]]:
    authority = Authority(folder, "house")
    authority.issue("ECDSA", "localhost", "127.0.0.1")
    authority.issue("RSA", "localhost", "127.0.0.2", key=rsa.generate_private_key(65537, 2048))
    gateway = Gateway(folder, config(), "")
    await gateway.start()
    try:
        ports = {kind: gateway.addresses[address][1] for kind, address in LISTENERS.items()}
        scans = {kind: await sslscan.scan(LISTENERS[kind], port) for kind, port in ports.items()}
        kinds = list(ports)
        findings = await asyncio.gather(*(testssl(folder, kind, ports[kind]) for kind in kinds))
    finally:
        status = await gateway.stop()
    assert status == 0, f"the gateway ended with {status}"
    return scans, dict(zip(kinds, findings))


def report(scans: dict[str, sslscan.Scan], findings: dict[str, list[dict]]) -> tuple[str, list[str]]:
    wrong = [f"sslscan, {kind}: {complaint}" for kind, scan in scans.items() for complaint in scan.complaints(kind)]
    accepted = collections.defaultdict(list)
    rows = [["sslscan", kind, "-", "-", str(len(scan.complaints(kind)))] for kind, scan in scans.items()]
    for kind, found in findings.items():
        others = [each for each in found if each["severity"] not in GOOD]
        count = collections.Counter(each["severity"] for each in found)
        rows.append(["testssl", kind, str(count["OK"]), str(count["INFO"]), str(len(others))])
        for each in others:
            if each["id"] in ACCEPTED:
                accepted[each["id"]].append(each["severity"])
            else:
                wrong.append(f"testssl, {kind}: {each['severity']} {each['id']}: {each['finding']}")
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip()
    scan = scans["ECDSA"]
    text = (f"{page.today()}, gateway {page.revision()} with {version}; {page.package('sslscan')}, {page.package('testssl.sh')}.\n\n"
            + page.table(["scanner", "certificate", "OK", "information", "other"], rows)
            + f"\n\nSpoken: {', '.join(sorted(scan.protocols))}, groups {', '.join(sorted(scan.groups))}, ciphers "
            + ", ".join(sorted({name for each in scans.values() for names in each.ciphers.values() for name in names})) + ".")
    if accepted:
        text += "\n\nWhat may stand, and why:\n\n" + "\n".join(
            f"- `{name}` ({', '.join(sorted(set(severities)))}): {ACCEPTED[name]}" for name, severities in sorted(accepted.items()))
    if wrong:
        text += "\n\nNot passed:\n\n" + "\n".join(f"- {line}" for line in wrong)
    return text, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="into docs/conformance.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sallyport-tls-") as folder:
        text, wrong = report(*asyncio.run(look(pathlib.Path(folder))))
    print(text)
    if given.write:
        page.write("tls", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
