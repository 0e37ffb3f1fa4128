"""The program as its users meet it: in a folder with a configuration, keys and a backend, on ports that were free a moment ago."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get(
    "SALLYPORT_BINARY", ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "sallyport")).resolve()
PATIENCE = 20
ADMIN_TOKEN = "5f1c0e1b7a9d4c3e8b2a6d7f90e1c2b3"
ISSUER = "https://id.example.com"

CONFIG = """\
listen:
  - address: 127.0.0.1:0
admin: {{ address: 127.0.0.1:{admin}, token_file: admin }}
store: {{ sqlite: {{ path: sallyport.db }} }}
threads: 2
drain_timeout: 5s
issuers:
  - name: main
    issuer: https://id.example.com
    audience: [chat]
    algorithms: [ES256]
    keys: {{ jwks_file: public.jwks }}
routes:
  - name: chat
    match: {{ host: localhost, path: /ws }}
    upstream: {{ url: ws://127.0.0.1:{backend}/ }}
    origins: [https://app.example.com]
    authenticate:
      - jwt: {{ issuer: main, from: [header] }}
      - opaque: {{ from: [subprotocol] }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Folder:
    """Where the program runs."""

    def __init__(self, path: pathlib.Path, backend: int):
        self.path, self.admin_port = path, free_port()
        (path / "admin").write_text(ADMIN_TOKEN + "\n")
        (path / "admin").chmod(0o600)
        self.config = path / "sallyport.yaml"
        self.config.write_text(CONFIG.format(admin=self.admin_port, backend=backend))
        self.run("keys", "new", "--out", "keys.jwks")
        (path / "public.jwks").write_text(self.run("keys", "list", "--keys", "keys.jwks", "--jwks").stdout)
        (path / "token.jwt").write_text(self.token("alice"))

    def run(self, *words: str, status: int = 0, stdin: str = "") -> subprocess.CompletedProcess:
        done = subprocess.run([BINARY, *words], cwd=self.path, input=stdin, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == status, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def token(self, subject: str, *words: str) -> str:
        return self.run("token", "issue", "--key", "keys.jwks", "--issuer", ISSUER, "--audience", "chat", "--sub", subject,
                        *words).stdout.strip()

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new, 1))


class Gateway:
    """A running `sallyport serve`."""

    def __init__(self, folder: Folder):
        self.folder, self.log, self.changed = folder, [], threading.Condition()
        self.process = subprocess.Popen([BINARY, "serve", "--config", "sallyport.yaml"], cwd=folder.path, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.logged("ready")
        address = next(line["address"] for line in self.log if line.get("name") == "listen[0]")
        self.port = int(address.rpartition(":")[2])

    def _read(self) -> None:
        for line in self.process.stdout:
            with self.changed:
                self.log.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.log.append({"event": "end of output"})
            self.changed.notify_all()

    def logged(self, event: str, after: int = 0) -> dict:
        """The first such event behind the first `after` lines."""
        def find():
            return next((line for line in self.log[after:] if line["event"] == event), None)

        def ended():
            return self.log and self.log[-1]["event"] == "end of output"

        with self.changed:
            self.changed.wait_for(lambda: find() or ended(), PATIENCE)
            found = find()
        assert found, f"no event {event} in:\n" + "\n".join(map(str, self.log[after:]))
        return found

    def admin(self, method: str, path: str, body=None, *, token: str | None = ADMIN_TOKEN, headers: dict | None = None):
        """Status, headers, and the body: read as JSON where it is."""
        fields = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if body is not None:
            fields["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.folder.admin_port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {**fields, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, answer.headers, json.loads(text) if is_json else text

    def connect(self, token: str):
        """A WebSocket with this JWT."""
        return websockets.connect(f"ws://localhost:{self.port}/ws", extra_headers={"Authorization": f"Bearer {token}"})

    def connect_opaque(self, token: str):
        return websockets.connect(f"ws://localhost:{self.port}/ws", subprotocols=["chat", f"bearer.{token}"])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.ended()
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.process.stdout.close()
        self.process.stderr.close()


def verbs() -> list[str]:
    """Every verb that `--help` lists."""
    page = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return re.findall(r"^  ([a-z]+(?: [a-z-]+)?)  +\S", page, re.M)
