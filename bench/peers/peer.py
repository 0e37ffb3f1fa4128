"""A server under test: how it is set up, started, watched and stopped."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import machine
from credentials import HOST, ISSUER, ORIGIN
from loadgen import Failed

LISTENERS = ("tls", "rsa", "plain")


class Peer:
    """One server and the echo behind it. `tls` and `rsa` are its listeners with an ECDSA and an RSA certificate."""

    name = ""
    executable = ""  # the name of its program, where it is another
    about = ""  # what it does with a connection, for the table's foot
    config_name = ""
    config = ""
    wants_token = True
    environment: dict[str, str] = {}

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.folder
        self.process = None
        self.backend = None
        self.ports: dict[str, int] = {}
        self.loops = 1

    # What a peer says of itself.

    def program(self) -> pathlib.Path | None:
        """Its executable, or None where it is not installed."""
        found = shutil.which(self.executable or self.name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        return pathlib.Path(found) if found else None

    def install(self) -> None:
        """Gets what no Debian package has. Raises Failed when it cannot."""

    def command(self, config: pathlib.Path) -> list:
        raise NotImplementedError

    def version(self) -> str:
        return ""

    def binary_bytes(self) -> int:
        return self.program().stat().st_size

    # Its life.

    def prepare(self) -> None:
        """Starts the backend and writes the configuration."""
        self.backend = subprocess.Popen([str(self.bench.program("echo"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=machine.pinned(machine.BACKEND_CPU))
        self.backend_port = int(self.backend.stdout.readline())
        self.ports = {listener: machine.free_port() for listener in (*LISTENERS, "admin")}
        self.path = self.folder / (self.config_name or self.name)
        self.path.write_text(self.filled(self.config))

    def filled(self, text: str) -> str:
        """`text` with @NAMES@ replaced."""
        words = {"FOLDER": self.folder, "BACKEND": self.backend_port, "HOST": HOST, "ORIGIN": ORIGIN, "ISSUER": ISSUER, "LOOPS": self.loops,
                 "DESCRIPTORS": machine.DESCRIPTORS, "CONNECTIONS": machine.DESCRIPTORS // 2 - 500} | {name.upper(): port for name, port in self.ports.items()}
        for word, value in words.items():
            text = text.replace(f"@{word}@", str(value))
        return text

    def launch(self, cpus=None) -> None:
        self.log = self.folder / f"{self.name}.log"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([str(word) for word in self.command(self.path)], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.folder, env=os.environ | self.environment,
                                            preexec_fn=machine.pinned(cpus or machine.SERVER_CPU))

    def start(self, cpus=None) -> "Peer":
        self.prepare()
        self.launch(cpus)
        deadline = time.monotonic() + 30
        for listener in LISTENERS:
            while True:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise Failed(f"{self.name}: did not start: " + self.log.read_text()[-600:].strip())
                try:
                    socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        if self.backend is not None:
            self.backend.stdin.close()
            self.backend.wait()
            self.backend = None

    def pids(self) -> list[int]:
        return machine.tree(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def said(command: list) -> str:
    """The first line of what a program says of its version."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip().split("\n")[0]
