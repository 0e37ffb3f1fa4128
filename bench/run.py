#!/usr/bin/env python3
"""What does Sallyport cost beside the proxies people know? Method and how to read it: bench/README.md.

Asks the questions of bench/questions/ of the servers of bench/peers/, prints a table with the targets, and writes
bench/results/latest.json and plots beside it. Exit status: 0, 1 when a target that was measured is missed, 2 usage.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import sys
import time

import credentials
import machine
import plot
import table
import targets
from loadgen import Failed
from peers import PEERS
from questions import QUESTIONS

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent


class Bench:
    """One run: what was asked for, where things lie, how far it is."""

    def __init__(self, options):
        self.options = options
        self.cache = ROOT / "build/bench"
        self.folder = options.work.resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.begin = time.monotonic()
        self.left_out: dict[str, str] = {}
        self.complaints: list[str] = []
        self.retry_seconds = options.retry_minutes * 60
        self.questions = [question for question in QUESTIONS if not options.only or question.NAME in options.only]
        self.at = 0
        self.at_begin = self.begin

    @property
    def sample_seconds(self) -> float:
        return self.options.warmup + self.options.seconds + 0.05

    def program(self, name: str) -> pathlib.Path:
        return self.options.programs / f"bench_{name}"

    def complain(self, text: str) -> None:
        self.complaints.append(text)
        print(f"  !!! {text}", flush=True)

    def find_peers(self) -> None:
        """Keeps those that are installed; says loudly which are not."""
        self.present = []
        for kind in PEERS:
            if self.options.peers and kind.name not in self.options.peers:
                continue
            peer = kind(self)
            try:
                peer.install()
                if peer.program() is None:
                    raise Failed(f"{peer.name}: is not installed")
                self.present.append(kind)
            except Failed as failure:
                self.left_out[kind.name] = str(failure)
                print(f"!!! LEFT OUT: {failure}", flush=True)

    def chosen(self, names=None) -> list:
        """Fresh instances of the peers that are there, of `names` or all."""
        return [kind(self) for kind in self.present if names is None or kind.name in names]

    def may_retry(self, seconds: float) -> bool:
        self.retry_seconds -= seconds
        return self.retry_seconds > 0

    def progress(self, text: str, share: float) -> None:
        """How long the rest will take: as estimated, corrected by how long this question has taken so far."""
        planned = self.questions[self.at].estimate(self)
        taken = time.monotonic() - self.at_begin
        left = taken / share * (1 - share) + sum(question.estimate(self) for question in self.questions[self.at + 1:])
        spent = time.monotonic() - self.begin
        print(f"  {self.questions[self.at].TITLE}: {text} (planned {planned:.0f} s, now {taken:.0f} s); "
              f"{int(spent) // 60}:{int(spent) % 60:02} gone, about {int(left) // 60}:{int(left) % 60:02} left", flush=True)

    def ask_all(self) -> dict:
        results = {}
        for self.at, question in enumerate(self.questions):
            self.at_begin = time.monotonic()
            print(f"==> {question.TITLE}", flush=True)
            results[question.NAME] = question.ask(self)
        return results


def parse_arguments():
    idle = min(10000, (machine.DESCRIPTORS - 2000) // 2)
    names = ", ".join(question.NAME for question in QUESTIONS)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])

    def words(text):
        return [word for word in text.split(",") if word]

    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release", help="folder of bench_load, bench_echo and bench_forwarder")
    parser.add_argument("--sallyport", type=pathlib.Path, default=ROOT / "build/release/sallyport", help="the gateway")
    parser.add_argument("--only", type=words, help=f"questions, with commas: {names}")
    parser.add_argument("--peers", type=words, help="servers, with commas: " + ", ".join(kind.name for kind in PEERS))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.9, help="length of one sample")
    parser.add_argument("--warmup", type=float, default=0.2, help="before each sample")
    parser.add_argument("--retries", type=int, default=2, help="how often a disturbed sample is taken again")
    parser.add_argument("--retry-minutes", type=float, default=6, help="how long all that may take")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--many", type=int, default=min(5000, idle))
    parser.add_argument("--idle", type=int, default=idle, help="connections of the memory and revocation questions")
    parser.add_argument("--sizes", type=lambda text: [int(word) for word in words(text)], default=[64, 512, 4096, 65536])
    parser.add_argument("--no-structured", dest="structured", action="store_false", help="leaves out the messages with much structure")
    parser.add_argument("--rate", type=float, help="messages a second for the latency (default: half of nginx's maximum)")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/bench/run", help="folder for configurations and logs; emptied first")
    parser.add_argument("--output", type=pathlib.Path, default=BENCH / "results", help="folder of latest.json and the plots")
    options = parser.parse_args()
    options.programs, options.sallyport = options.programs.resolve(), options.sallyport.resolve()
    known = {question.NAME for question in QUESTIONS}, {kind.name for kind in PEERS}
    for given, names in ((options.only, known[0]), (options.peers, known[1])):
        if set(given or ()) - names:
            parser.error(f"no such name: {', '.join(sorted(set(given) - names))}; there are {', '.join(sorted(names))}")
    return options


def written(report: dict) -> str:
    """JSON with lists of numbers on one line each."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    return re.sub(r"\[[\s\d.,eE+-]*\]", lambda match: re.sub(r"\s+", " ", match[0]).replace("[ ", "[").replace(" ]", "]"), text) + "\n"


def main() -> int:
    options = parse_arguments()
    bench = Bench(options)
    credentials.make(bench.folder, bench.program("load"))
    bench.find_peers()
    estimate = sum(question.estimate(bench) for question in bench.questions)
    print(f"about {estimate / 60:.0f} minutes; the machine should have nothing else to do", flush=True)
    results = bench.ask_all()

    found = targets.judge(results)
    report = {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "minutes": round((time.monotonic() - bench.begin) / 60, 1),
        "machine": machine.description(),
        "options": {name: getattr(options, name) for name in ("rounds", "seconds", "warmup", "connections", "many", "idle", "only", "peers")},
        "peers": {kind.name: {"version": kind(bench).version(), "about": kind.about} for kind in bench.present},
        "left_out": bench.left_out,
        "complaints": bench.complaints,
        "targets": found,
        "results": results,
    }
    print(table.drawn(report))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "latest.json").write_text(written(report))
    plots = plot.draw(report, options.output)
    print(f"written to {options.output}: " + ", ".join(["latest.json", *plots]))
    for text in (*bench.left_out.values(), *bench.complaints):
        print(f"!!! {text}")
    if bench.left_out and os.environ.get("CI"):
        return 1
    return 1 if any(target["met"] is False for target in found) else 0


if __name__ == "__main__":
    sys.exit(main())
