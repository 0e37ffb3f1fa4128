"""bench_load, driven line by line, and samples that say how much others disturbed them."""

import json
import subprocess
import time

import machine
from credentials import HOST, ORIGIN

# Foreign load above which a sample is taken again, in cores.
QUIET = 0.2


class Failed(Exception):
    """A server did not do what was asked of it. The bench goes on without this figure, and says so."""


class Load:
    """A bench_load that keeps its connections from one command to the next."""

    def __init__(self, bench, peer, *arguments, listener="tls", cpus=None):
        self.peer = peer
        self.bench = bench
        if listener == "plain":
            arguments = ("--plain", *arguments)
        if "--path" not in arguments:
            arguments = ("--path", "/ws", *arguments)
        if peer.wants_token and "--sign" not in arguments and "--token-file" not in arguments:
            arguments = ("--token-file", bench.folder / "token-ES256", *arguments)
        self.log = bench.folder / f"load-{peer.name}.err"
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in (bench.program("load"), "--port", peer.ports[listener], "--host", HOST, "--origin", ORIGIN, *arguments)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=machine.pinned(cpus or machine.LOAD_CPU))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def say(self, *words) -> None:
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise Failed(f"{self.peer.name}: {self.log.read_text().strip() or 'the load generator ended'}")
        return json.loads(line)

    def ask(self, *words) -> dict:
        self.say(*words)
        return self.answer()

    def sample(self, *words) -> dict:
        """One figure, taken again while others used the machine; the least disturbed one counts."""
        best = None
        for _ in range(1 + self.bench.options.retries):
            server = self.peer.pids()
            ours = [*server, *machine.tree(self.peer.backend.pid), self.process.pid]
            before, begin = machine.busy_seconds() - machine.cpu_seconds(ours), time.monotonic()
            figure = self.ask(*words, *server)
            foreign = machine.busy_seconds() - machine.cpu_seconds(ours) - before
            figure["foreign"] = round(max(0.0, foreign) / (time.monotonic() - begin), 2)
            if best is None or figure["foreign"] < best["foreign"]:
                best = figure
            if best["foreign"] <= QUIET or not self.bench.may_retry(time.monotonic() - begin):
                break
        return best


class Series:
    """The samples of one kind, of several peers, a round each. A peer that failed once is out."""

    def __init__(self, bench):
        self.bench = bench
        self.samples: dict[str, list[dict]] = {}
        self.failed: set[str] = set()

    def take(self, peer, sample) -> None:
        """Calls `sample` and keeps what it gives."""
        if peer.name in self.failed:
            return
        try:
            self.samples.setdefault(peer.name, []).append(sample())
        except Failed as failure:
            self.failed.add(peer.name)
            self.samples.pop(peer.name, None)
            self.bench.complain(str(failure))

    def result(self) -> dict:
        names = ("cpu_us_each", "per_second", "busy", "p50_us", "p99_us", "p999_us", "resumed", "done", "foreign")
        found = {}
        for peer, samples in self.samples.items():
            found[peer] = {name: [round(sample[name], 3) for sample in samples] for name in names if name in samples[0]}
        return found
