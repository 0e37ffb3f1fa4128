"""Lets Autobahn|Testsuite judge the gateway from both sides, and writes its verdict into docs/conformance.md.

In front: the suite is the client, behind the gateway stands the suite's own echo. Behind: the suite is the backend, a hostile one, in front of the
gateway stands its own client that echoes, so that what the suite sees is what the gateway let through. Each once in the clear and once in TLS.
A case passes when the suite says OK or INFORMATIONAL, of what was said and of how it was closed; NON-STRICT does not.

usage: autobahn.py CHECKOUT [--cases PATTERN...] [--runs NAME...] [--keep FOLDER] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import socket
import sys
import tempfile

import page

sys.path.insert(0, str(page.ROOT / "tests" / "scenarios"))

from harness.certificates import Authority  # noqa: E402
from harness.gateway import Gateway  # noqa: E402

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"]
GROUPS = {"1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragmentation", "6": "UTF-8",
          "7": "closing", "9": "sizes up to 16 MiB, many messages", "10": "automatic fragmentation",
          "12": "permessage-deflate: sizes", "13": "permessage-deflate: parameters"}
PASSED = {"OK", "INFORMATIONAL"}
#: Run and case, and why another verdict is right.
ACCEPTED: dict[tuple[str, str], str] = {}

#: What the runs are called, and where a client goes for each: the host decides the route.
RUNS = {"front-ws": ("ws", "127.0.0.2"), "front-wss": ("wss", "127.0.0.1"), "behind-ws": ("ws", "127.0.0.2"), "behind-wss": ("wss", "127.0.0.1")}
HEADINGS = {"front-ws": "client, ws", "front-wss": "client, wss", "behind-ws": "backend, ws", "behind-wss": "backend, wss"}
LONGEST_RUN = 3600.0


def free_port() -> int:
    """The suite must be told its port: one of those that the system gives to nobody who does not ask for it."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as asked, contextlib.suppress(OSError):
            asked.bind(("", port))
            return port
    raise AssertionError("no port is free")


def config(backends: dict[str, str]) -> dict:
    size = "64MiB"
    route = {"authenticate": [{"dangerous_anonymous": {}}],
             "compression": {"client": True, "backend": True, "context_takeover": True, "max_ratio": 1032},  # the suite sends megabytes of one letter
             "ping": {"every": "1h"},  # the suite takes its time over 16 MiB
             "limits": {"message_size": size, "backend_message_size": size, "messages": "1000000/s",
                        "connections_per_identity": 1000, "connections_per_ip": 1000}}
    whole = {
        "listen": [{"address": "127.0.0.1:0", "tls": {"certificate": "gateway.pem", "key": "gateway.key"}},
                   {"address": "127.0.0.2:0"}],
        "store": {"memory": {}},
        "threads": 1,
        "acknowledge": ["dangerous_anonymous"],
        "limits": {"pending": 1000, "pending_per_ip": 1000, "handshakes_per_ip": "10000/s", "slow_consumer": "10m"},
        "routes": [
            {"name": name, "match": {"host": RUNS[name][1]} | ({"path": "/echo"} if name.startswith("front") else {"prefix": "/"}),
             "upstream": {"url": url} | ({"ca_file": "house-ca.pem"} if url.startswith("wss:") else {})} | route
            for name, url in backends.items()],
    }
    return json.loads(json.dumps(whole))  # what is shared would be written as an anchor


class Suite:
    def __init__(self, checkout: pathlib.Path, folder: pathlib.Path, cases: list[str]):
        self.checkout, self.folder, self.cases = checkout, folder, cases
        self.processes: list[asyncio.subprocess.Process] = []

    async def start(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        """The suite's program; what it prints goes to `name`.out."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.checkout / "autobahntestsuite"), "PYTHONUNBUFFERED": "1"}
        with open(self.folder / f"{name}.out", "wb") as output:
            process = await asyncio.create_subprocess_exec(
                "/usr/bin/python3", "-P", "-W", "ignore", str(page.ROOT / "tests/conformance/wstest.py"), *arguments, cwd=self.folder, env=environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT)
        self.processes.append(process)
        return process

    def spec(self, name: str, content: dict) -> str:
        """The suite's library cuts the times of its deadlines to whole seconds, which leaves nothing of the usual one."""
        file = self.folder / f"{name}.json"
        deadlines = {"openHandshakeTimeout": 120, "closeHandshakeTimeout": 30}
        file.write_text(json.dumps(content | {"outdir": str(self.folder / name), "cases": self.cases, "exclude-cases": [],
                                              "exclude-agent-cases": {}, "options": deadlines}))
        return str(file)

    def output(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text(errors="replace")

    def results(self, name: str) -> dict[str, dict]:
        announced = re.search(r"will run (\d+) test cases", self.output(name))
        index = self.folder / name / "index.json"
        assert announced and index.exists(), f"{name}: the suite did not finish:\n{self.output(name)[-2000:]}"
        results = json.loads(index.read_text())["sallyport"]
        assert len(results) == int(announced[1]) > 0, f"{name}: {len(results)} of {announced[1]} cases have a verdict"
        return results

    async def stop(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def listening(port: int, process: asyncio.subprocess.Process, name: str) -> None:
    """Returns when somebody listens on `port`; the suite does not say so itself."""
    for _ in range(1200):
        assert process.returncode is None, f"{name} ended at its start with {process.returncode}"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"{name} does not listen")


async def play(suite: Suite, runs: list[str]) -> dict[str, dict[str, dict]]:
    folder = suite.folder
    authority = Authority(folder, "house")
    authority.issue("gateway", "127.0.0.1", "localhost")
    certificate, key = authority.issue("backend", "localhost", "127.0.0.1")
    backends, gateway = {}, None
    try:
        for name in [name for name in runs if name.startswith("front")]:
            port = free_port()
            backends[name] = f"ws://localhost:{port}/"
            await listening(port, await suite.start(f"{name}-echo", "-m", "testeeserver", "-w", backends[name]), name)
        for name in [name for name in runs if name.startswith("behind")]:
            port, tls = free_port(), name.endswith("wss")
            url = f"{'wss' if tls else 'ws'}://localhost:{port}"
            spec = suite.spec(name, {"url": url} | ({"key": str(key), "cert": str(certificate)} if tls else {}))
            server = await suite.start(name, "-m", "fuzzingserver", "-s", spec, "-u", "0")
            await listening(port, server, name)
            backends[name] = url
        gateway = Gateway(folder, config(backends), "")
        await gateway.start()
        turn = asyncio.Semaphore(os.cpu_count() or 1)

        async def run(name: str) -> None:
            scheme, host = RUNS[name]
            url = f"{scheme}://{host}:{gateway.addresses[host][1]}"
            async with turn:
                print(f"==> {name}", flush=True)
                if name.startswith("front"):
                    spec = suite.spec(name, {"servers": [{"agent": "sallyport", "url": f"{url}/echo"}]})
                    process = await suite.start(name, "-m", "fuzzingclient", "-s", spec)
                else:
                    process = await suite.start(f"{name}-client", "-m", "testeeclient", "-w", url, "-i", "sallyport")
                await asyncio.wait_for(process.wait(), LONGEST_RUN)

        await asyncio.gather(*(run(name) for name in runs))
        status = await gateway.stop()
        assert status == 0, f"the gateway ended with {status}: {gateway.errors.decode(errors='replace')[-2000:]}"
        bugs = [line for line in gateway.log if line.get("reason") == "internal.bug"]
        assert not bugs, bugs[:5]
    finally:
        await suite.stop()
        if gateway and gateway.process and gateway.process.returncode is None:
            gateway.process.kill()
    return {name: suite.results(name) for name in runs}


def verdict(result: dict) -> str:
    said, closed = result["behavior"], result["behaviorClose"]
    return said if closed in PASSED else f"{said}, closing {closed}"


def in_order(cases) -> list[str]:
    return sorted(cases, key=lambda case: [int(part) for part in case.split(".")])


def report(results: dict[str, dict[str, dict]], cases: list[str], checkout: pathlib.Path) -> tuple[str, list[str]]:
    """The page's section, and what is wrong."""
    runs = list(results)
    rows = []
    for group, meaning in GROUPS.items():
        cells = []
        for run in runs:
            count = collections.Counter(verdict(result) for case, result in results[run].items() if case.split(".")[0] == group)
            cells.append(", ".join(f"{number} {word}" for word, number in sorted(count.items(), key=lambda item: (item[0] != "OK", item[0]))))
        if any(cells):
            rows.append([f"{group} {meaning}", *(cell or "-" for cell in cells)])
    wrong, notes = [], []
    for run in runs:
        for case in in_order(results[run]):
            said = verdict(results[run][case])
            if said == "OK":
                continue
            reason = ACCEPTED.get((run, case))
            if said == "INFORMATIONAL":
                notes.append((case, "the suite only notes what is done", run))
            elif reason:
                notes.append((case, reason, run))
            else:
                wrong.append(f"{run} {case}: {said}")
    by_case = collections.defaultdict(list)
    for case, reason, run in notes:
        by_case[case, reason].append(HEADINGS[run])
    version = re.search(r'"([0-9.]+)"', (checkout / "autobahntestsuite/autobahntestsuite/_version.py").read_text())
    text = (f"{page.today()}, gateway {page.revision()}; suite {version[1] if version else '?'} at {page.revision(checkout)}, "
            f"{page.package('python3-autobahn')}, {page.package('python3-twisted')}.\n\n"
            + page.table(["cases", *(f"suite as {HEADINGS[run]}" for run in runs)], rows))
    if cases != CASES:
        text += "\n\nA part of the cases; `make conformance` asks for all."
    if notes:
        text += "\n\n" + "\n".join(f"- {case}: {reason} ({'; '.join(where)})" for (case, reason), where in sorted(
            by_case.items(), key=lambda item: [int(part) for part in item[0][0].split(".")]))
    if wrong:
        text += "\n\nNot passed:\n\n" + "\n".join(f"- {line}" for line in wrong)
    return text, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=pathlib.Path, help="where Autobahn|Testsuite for Python 3 is checked out")
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=list(RUNS))
    parser.add_argument("--keep", type=pathlib.Path, help="leaves the suite's own reports in this folder")
    parser.add_argument("--write", action="store_true", help="into docs/conformance.md")
    given = parser.parse_args()
    if not (given.checkout / "autobahntestsuite/autobahntestsuite/wstest.py").exists():
        print(f"{given.checkout} is no checkout of Autobahn|Testsuite for Python 3", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sallyport-autobahn-") as scratch:
        folder = given.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        results = asyncio.run(play(Suite(given.checkout.resolve(), folder.resolve(), given.cases), given.runs))
    text, wrong = report(results, given.cases, given.checkout)
    print(text)
    if given.write:
        page.write("autobahn", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
