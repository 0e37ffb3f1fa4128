"""Every secret that the suite uses and everything that the gateway says. At the end the two must have nothing in common."""

from __future__ import annotations

import re

_secrets: dict[str, str] = {}
_said: dict[str, bytearray] = {}

#: Lines of the gateway's log that no reader of its log could read.
bad_lines: list[str] = []

#: What a token, a cookie or a key looks like in running text.
WORD = re.compile(rb"[A-Za-z0-9_.+/=~-]{16,}")
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{8,}")


def remember(what: str, secret: str) -> str:
    """Notes a secret, and the parts of it that would give it away alone. Returns it."""
    for part in [secret, *secret.split(".")[1:]]:
        if len(part) >= 16:
            _secrets.setdefault(part, what)
    return secret


def overhear(where: str, said: bytes) -> None:
    """Notes what left the gateway by a way that must never carry a secret: its output, its metrics, its refusals."""
    _said.setdefault(where, bytearray()).extend(said + b"\n")


def leaks() -> list[str]:
    """Each secret that was said somewhere, told by its name and not by itself."""
    found = []
    for where, said in _said.items():
        words = b"\n".join(set(WORD.findall(said)))
        found += [f"{what} in {where}" for secret, what in _secrets.items() if secret.encode() in words]
        found += [f"what looks like a JWT in {where}"] * bool(JWT.search(words))
    return sorted(set(found))


def known() -> int:
    return len(_secrets)


def heard() -> int:
    return sum(map(len, _said.values()))
