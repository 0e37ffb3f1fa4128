"""The small applications of tests/frameworks, and what they rely on: started as processes, met on the ports that they say they listen on."""

from __future__ import annotations

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from . import secrets
from .waiting import PATIENCE

FRAMEWORKS = pathlib.Path(__file__).resolve().parents[2] / "frameworks"
ROOT = FRAMEWORKS.parents[1]


def missing(what: str):
    """Skips loudly; where everything has to be there, fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; `make test` installs it")
    pytest.skip(f"{what} is missing; `make test` installs it")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def accepts(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """One that is ended with the test that it serves."""

    def __init__(self, command: list, *, env: dict | None = None, cwd: pathlib.Path | None = None, port: int | None = None, folder: pathlib.Path):
        self.output = folder / f"{pathlib.Path(command[0]).name}-{time.monotonic_ns()}.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdout=output, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": str(folder)} | (env or {}))
        try:
            self.port = self._wait(port)
        except BaseException:
            self.stop()
            raise

    def _wait(self, port: int | None) -> int:
        """Until it listens: on `port`, or where it says."""
        end = time.monotonic() + max(30, PATIENCE)
        while time.monotonic() < end:
            said = re.search(r"^listening (\d+)", self.output.read_text(errors="replace"), re.M)
            if said:
                return int(said[1])
            if port and accepts(port):
                return port
            assert self.process.poll() is None, f"{self.process.args[0]} ended: {self.output.read_text(errors='replace')[-2000:]}"
            time.sleep(0.02)
        raise AssertionError(f"{self.process.args[0]} does not listen: {self.output.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Browser:
    """A user's browser before an application: keeps its cookies."""

    def __init__(self, port: int):
        self.port, self.cookies = port, {}

    def __call__(self, method: str, target: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Cookie": self.header} if self.cookies else {}
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status == 200, f"{method} {target}: {answer.status} {body[-500:]}"
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            gone = re.search(r"max-age=0\b|expires=thu, 01.jan.1970", line, re.I) or value in ("", '""', "deleted")
            if gone:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
                if len(value) >= 20:
                    secrets.remember(f"the cookie {name}", value)
        return body

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def redis_server(folder: pathlib.Path, *options: str) -> Process:
    if not shutil.which("redis-server"):
        missing("redis-server")
    port = free_port()
    return Process(["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", folder, *options],
                   port=port, folder=folder)


def node_modules(folder: pathlib.Path) -> pathlib.Path:
    if not shutil.which("npm"):
        missing("npm")
    if not (folder / "node_modules/.package-lock.json").exists():
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            missing(f"what {folder / 'package.json'} names ({done.stderr[-300:]})")
    return folder


def python_with(requirements: pathlib.Path) -> pathlib.Path:
    """The Python of a virtual environment in build/ with these packages."""
    home = ROOT / "build/python" / requirements.parent.name
    python = home / "bin/python"
    wanted = requirements.read_text()
    stamp = home / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", home], capture_output=True, text=True)
        if made.returncode:
            missing(f"python3-venv ({made.stdout[-300:]})")
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-input", "-r", requirements], capture_output=True, text=True)
        if done.returncode:
            missing(f"what {requirements} names ({done.stderr[-300:]})")
        stamp.write_text(wanted)
    return python
