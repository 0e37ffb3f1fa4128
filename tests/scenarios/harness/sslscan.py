"""What `sslscan`, a program of others, finds at a TLS port."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as xml
from dataclasses import dataclass

#: Each has forward secrecy and authenticated encryption, and there is no other.
CIPHERS = {
    "TLSv1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
    "TLSv1.2": {"ECDHE-{}-AES128-GCM-SHA256", "ECDHE-{}-AES256-GCM-SHA384", "ECDHE-{}-CHACHA20-POLY1305"},
}
GROUPS = {"x25519", "secp256r1 (NIST P-256)"}


@dataclass
class Scan:
    protocols: set[str]
    ciphers: dict[str, set[str]]
    groups: set[str]
    renegotiates: bool
    bleeds: bool
    signed_with: str

    def complaints(self, key: str) -> list[str]:
        """What is not as it should be for a certificate with a key of this kind, ECDSA or RSA."""
        wanted = {version: {name.format(key) for name in names} for version, names in CIPHERS.items()}
        checks = {
            f"protocols {sorted(self.protocols)}": self.protocols == set(wanted),
            f"ciphers {self.ciphers}": self.ciphers == wanted,
            f"groups {sorted(self.groups)}": self.groups == GROUPS,
            "renegotiation": not self.renegotiates,
            "heartbleed": not self.bleeds,
            f"certificate signed with {self.signed_with}": "sha1" not in self.signed_with.lower() and "md5" not in self.signed_with.lower(),
        }
        return [what for what, good in checks.items() if not good]


async def scan(host: str, port: int) -> Scan:
    process = await asyncio.create_subprocess_exec("sslscan", "--xml=-", f"{host}:{port}", stdin=asyncio.subprocess.DEVNULL,
                                                   stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await process.communicate()
    test = xml.fromstring(output).find("ssltest")
    assert test is not None, output.decode(errors="replace")
    ciphers: dict[str, set[str]] = {}
    for cipher in test.findall("cipher"):
        ciphers.setdefault(cipher.attrib["sslversion"], set()).add(cipher.attrib["cipher"])

    def said(name: str, attribute: str) -> bool:
        found = test.findall(name)
        assert found, f"sslscan says nothing about {name}"
        return any(each.attrib[attribute] == "1" for each in found)

    signed = test.find("certificates/certificate/signature-algorithm")
    return Scan(
        protocols={("TLSv" if each.attrib["type"] == "tls" else "SSLv") + each.attrib["version"]
                   for each in test.findall("protocol") if each.attrib["enabled"] == "1"},
        ciphers=ciphers,
        groups={each.attrib["name"] for each in test.findall("group")},
        renegotiates=said("renegotiation", "supported"),
        bleeds=said("heartbleed", "vulnerable"),
        signed_with=signed.text if signed is not None and signed.text else "unknown")
