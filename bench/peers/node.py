"""A gateway as users write it today, on Node: ws and jsonwebtoken; verifies the token, parses each message, checks two members,
sends it on through a second WebSocket. The source is in peers/node-gateway/."""

import os
import pathlib
import shutil
import subprocess

from loadgen import Failed

from .peer import Peer, said

SOURCE = pathlib.Path(__file__).parent / "node-gateway"


class Node(Peer):
    name = "node"
    about = "ws + jsonwebtoken: ES256 at the upgrade, JSON.parse of each message, two members checked"
    config_name = "node-gateway.json"
    config = """\
{
  "backend": "ws://127.0.0.1:@BACKEND@/ws",
  "issuer": "@ISSUER@", "audience": "bench", "key": "@FOLDER@/ES256.pem",
  "listen": [
    { "port": @TLS@, "cert": "@FOLDER@/ecdsa.crt", "key": "@FOLDER@/ecdsa.key" },
    { "port": @RSA@, "cert": "@FOLDER@/rsa.crt", "key": "@FOLDER@/rsa.key" },
    { "port": @PLAIN@ }
  ]
}
"""

    def __init__(self, bench):
        super().__init__(bench)
        self.home = bench.cache / "node-gateway"

    def install(self):
        if self.program() is None or shutil.which("npm") is None:
            raise Failed("node: node and npm are not installed")
        lock = (SOURCE / "package-lock.json").read_text()
        mark = self.home / "installed"
        if not (mark.exists() and mark.read_text() == lock):
            self.home.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(SOURCE / name, self.home / name)
            result = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=self.home, capture_output=True, text=True, check=False)
            if result.returncode:
                raise Failed("node: npm ci failed: " + result.stderr.strip()[-300:])
            mark.write_text(lock)
        shutil.copy(SOURCE / "gateway.mjs", self.home / "gateway.mjs")

    def command(self, config):
        return [self.program(), self.home / "gateway.mjs", config]

    def version(self):
        return "node " + said([self.program(), "--version"])

    def binary_bytes(self):
        parts = sum(path.stat().st_size for path in self.home.rglob("*") if path.is_file())
        return os.stat(self.program()).st_size + parts
