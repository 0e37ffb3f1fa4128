"""The gateway as a process: started in a folder of its own, met on the ports that it says it listens on, ended by SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import signal
import time
from dataclasses import dataclass

import yaml

from . import secrets
from .waiting import PATIENCE, Bell, within

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("SALLYPORT_BINARY") or ROOT / os.environ.get("SALLYPORT_BUILD", "build/release") / "sallyport")


@dataclass
class Answer:
    """An HTTP answer. `raw` is every byte up to the end of the connection."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        values = [value for field, value in self.headers if field == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @classmethod
    def parse(cls, raw: bytes) -> "Answer":
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = [line.partition(":") for line in lines[1:]]
        headers = [(name.strip().lower(), value.strip()) for name, _, value in fields]
        return cls(int(lines[0].split()[1]), headers, body, raw)


class Gateway:
    """A running `sallyport serve`. Every line that it prints is kept, and looked through for secrets in the end."""

    def __init__(self, folder: pathlib.Path, config: dict, admin_token: str):
        self.folder, self.admin_token = folder, secrets.remember("the admin token", admin_token)
        self.log: list[dict] = []
        self.errors = bytearray()
        self.bell = Bell()
        self.addresses: dict[str, tuple[str, int]] = {}
        self.process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task] = []
        self.write(config)

    def write(self, config: dict | str) -> None:
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        (self.folder / "sallyport.yaml").write_text(text)

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    async def start(self) -> "Gateway":
        self.log.clear()
        self.addresses.clear()
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
        self.process = await asyncio.create_subprocess_exec(
            str(BINARY), "serve", "--config", str(self.folder / "sallyport.yaml"), cwd=self.folder, env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20)
        self._readers = [asyncio.ensure_future(self._read_output()), asyncio.ensure_future(self._read_errors())]
        asyncio.ensure_future(self.process.wait()).add_done_callback(lambda _: self.bell.ring())
        await self.logged({"event": "ready"}, seconds=15)
        return self

    async def _read_output(self) -> None:
        assert self.process and self.process.stdout
        async for line in self.process.stdout:
            secrets.overhear("standard output", line)
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": "not JSON", "line": line.decode(errors="replace")}
                secrets.bad_lines.append(entry["line"])
            if entry["event"] == "listening":
                host, _, port = entry["address"].rpartition(":")
                self.addresses[host.strip("[]")] = (host.strip("[]"), int(port))
            self.log.append(entry)
            self.bell.ring()
        self.bell.ring()

    async def _read_errors(self) -> None:
        assert self.process and self.process.stderr
        while data := await self.process.stderr.read(65536):
            secrets.overhear("standard error", data)
            self.errors += data

    async def logged(self, wanted: dict, since: int = 0, seconds: float = PATIENCE) -> dict:
        """The first line from `since` on that has all that is `wanted`."""
        try:
            return await self.bell.until(lambda: self._find(wanted, since), f"a log line with {wanted}", seconds)
        except AssertionError as trouble:
            tail = "\n".join(json.dumps(line) for line in self.log[since:][-12:])
            raise AssertionError(f"{trouble}; the last lines were:\n{tail}\n{self.errors.decode(errors='replace')[-2000:]}") from None

    def _find(self, wanted: dict, since: int) -> dict | None:
        for line in self.log[since:]:
            if matches(line, wanted):
                return line
        if self.process and self.process.returncode is not None and self._readers[0].done():
            raise AssertionError(f"the gateway ended with {self.process.returncode} before a log line with {wanted}")
        return None

    @staticmethod
    async def past(unix_seconds: float) -> None:
        """Waits until that time is over; the one thing that nothing but waiting brings about."""
        await asyncio.sleep(max(0.0, unix_seconds - time.time()) + 0.01)

    async def admin(self, method: str, path: str, body: dict | None = None, token: str | None = "") -> Answer:
        """One call of the admin API. `token`: None for none; empty for the right one."""
        reader, writer = await within(asyncio.open_connection(*self.addresses["127.0.0.3"]), "the admin port")
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token or self.admin_token}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + payload)
        raw = await within(reader.read(-1), f"the answer to {method} {path}", 30)
        writer.close()
        answer = Answer.parse(raw)
        if "/v1/tokens" not in path:  # issuing a token is the one call that has to tell it
            secrets.overhear(f"the answer to {method} {path}", raw)
        return answer

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    async def ended(self, seconds: float = 15.0) -> int:
        """Its exit status, once it is gone and all that it said has been read."""
        assert self.process
        status = await within(self.process.wait(), "the gateway to end", seconds)
        await within(asyncio.gather(*self._readers), "the end of the gateway's output")
        return status

    async def stop(self) -> int:
        assert self.process
        if self.process.returncode is None:
            self.signal(signal.SIGTERM)
        try:
            return await self.ended()
        except AssertionError:
            self.process.kill()
            await self.process.wait()
            raise

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> list[str]:
        """What its open descriptors refer to."""
        found = []
        for entry in os.scandir(f"/proc/{self.pid}/fd"):
            try:
                found.append(os.readlink(entry.path))
            except FileNotFoundError:
                pass
        return sorted(found)

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def matches(value, wanted) -> bool:
    """True when `value` has all that is `wanted`: members of objects are looked at one by one, `any` is anything that is there,
    text between slashes is a pattern, a list of alternatives is {one_of: [...]}, everything else is equal."""
    import re

    if isinstance(wanted, dict):
        if set(wanted) == {"one_of"}:
            return any(matches(value, each) for each in wanted["one_of"])
        if set(wanted) == {"below"}:
            return isinstance(value, (int, float)) and value < wanted["below"]
        if set(wanted) == {"above"}:
            return isinstance(value, (int, float)) and value > wanted["above"]
        return isinstance(value, dict) and all(
            (name not in value or value[name] in (None, "")) if want is None else name in value and matches(value[name], want)
            for name, want in wanted.items())
    if isinstance(wanted, list):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(matches, value, wanted))
    if wanted == "any":
        return value is not None
    if isinstance(wanted, str) and len(wanted) > 2 and wanted[0] == wanted[-1] == "/" and isinstance(value, str):
        return re.search(wanted[1:-1], value) is not None
    if isinstance(wanted, str) and isinstance(value, (int, float)) and wanted.startswith("within "):
        return abs(value - time.time()) < float(wanted[7:])
    return value == wanted
