#!/usr/bin/env python3
"""How many instructions does a message, a handshake, a refusal cost, and is that more than before? Method: bench/README.md.

compare.py against REV   builds REV below build/compare, counts both programs in turn, prints where the difference is
compare.py check         counts the built program and compares with the committed figures; what `make test` runs
compare.py baseline      counts the built program and writes the figures to be committed

Exit status: 0, 1 when something costs more than the limit allows or the count failed, 2 usage. Where nothing can be compared, on
another processor architecture, 0 but 1 with CI set.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import sys
import time

import credentials
from machine import free_port

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
FIGURES = BENCH / "results/instructions.json"
WORK = ROOT / "build/compare"
# What the figures depend on beside the project and its compiler.
PACKAGES = ("libc6", "libssl3", "libstdc++6", "libsimdjson14", "valgrind")


@dataclasses.dataclass(frozen=True)
class Load:
    """A load of `count` messages or handshakes that bench_load can make exactly."""
    name: str
    command: str  # of bench_load, with COUNT in it
    count: int
    arguments: tuple[str, ...] = ()
    route: str = "unread"


LOADS = (
    Load("message of 512 B", "open 1\nsend 512 1 COUNT", 2000),
    Load("message of 512 B, 16 in flight", "open 1\nsend 512 16 COUNT", 4000),
    Load("message of 4 KiB", "open 1\nsend 4096 1 COUNT", 1000),
    Load("message of 64 KiB", "open 1\nsend 65536 1 COUNT", 100),
    Load("message of 512 B, understood", "open 1\nsend 512 1 COUNT", 2000, route="understood"),
    Load("message of 64 KiB, understood", "open 1\nsend 65536 1 COUNT", 100, ("--records",), "understood"),
    Load("handshake", "connect 1 COUNT", 30, ("--sign", "ES256", "sign-ES256")),
    Load("handshake, TLS resumed", "connect 1 COUNT", 30, ("--sign", "ES256", "sign-ES256", "--resume")),
    Load("handshake, token seen before", "connect 1 COUNT", 30),
    Load("handshake, token refused", "connect 1 COUNT", 30, ("--status", "401", "--token-file", "forged")),
    Load("handshake, origin refused", "connect 1 COUNT", 30, ("--status", "403", "--origin", "https://elsewhere.example.com")),
)


# Kept apart from what bench/run.py measures: it has to mean the same to each revision that is compared.
CONFIG = """\
listen:
  - address: 127.0.0.1:{port}
    tls: {{ certificate: ecdsa.crt, key: ecdsa.key }}
admin: {{ address: "127.0.0.1:{admin}", token_file: admin }}
store: {{ sqlite: {{ path: {name}.db }} }}
threads: 1
limits: {{ pending: 5000, handshakes_per_ip: 100000/s, lockout: {{ failures: 1000000, failures_per_ip: 1000000 }} }}
issuers:
  - name: main
    issuer: {issuer}
    audience: [bench]
    algorithms: [ES256]
    keys: {{ jwks_file: keys.jwks }}
routes:
"""
ROUTE = """\
  - name: {route}
    match: {{ host: {host}, path: /{route} }}
    upstream: {{ url: "ws://127.0.0.1:{backend}/ws" }}
    origins: ["{origin}"]
    authenticate: [{{ jwt: {{ issuer: main, from: [header] }} }}]
    limits:
      message_size: 1MiB
      backend_message_size: 1MiB
      messages: 1000000/s
      connections_per_identity: 100000
      connections_per_ip: 100000
"""
UNDERSTOOD = "    messages: {{ protocol: json, operation: {{ verb: /type, resource: /room }} }}\n"


def config_of(program):
    """The configuration to be filled in, and the routes that it has: to understand messages is not in every revision."""
    routes = {"unread": ROUTE.replace("{route}", "unread")}
    schema = subprocess.run([str(program), "explain", "--json-schema"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if "messages" in json.loads(schema)["properties"]["routes"]["items"]["properties"]:
        routes["understood"] = ROUTE.replace("{route}", "understood") + UNDERSTOOD
    return CONFIG + "".join(routes.values()), set(routes)


@dataclasses.dataclass
class Cost:
    """Instructions of one message or handshake, by the function that spends them."""
    functions: dict[tuple[str, str], float]
    program: str

    @property
    def total(self):
        return sum(self.functions.values())

    @property
    def own(self):
        """What the program's own code spends, without the shared libraries it calls."""
        return sum(cost for (binary, _), cost in self.functions.items() if binary == self.program)


def parse_profile(text):
    """Instructions by (file name of the binary, function) in a callgrind profile, without those of the functions called."""
    names = {}

    def name(kind, value):
        number, _, given = value.partition(" ")
        if given:
            names[kind, number] = given
        return names.get((kind, number), number)

    costs = collections.Counter()
    binary = function = "?"
    called = False
    for line in text.splitlines():
        if line[:1] in "0123456789+-*" and line:
            if not called:
                costs[binary, function] += int(line.split()[-1])
            called = False
        elif line.startswith("calls="):
            called = True  # the next line is the cost of the calls
        elif line.startswith("ob="):
            binary = name("ob", line[3:]).rpartition("/")[2]
        elif line.startswith("fn="):
            function = readable(name("fn", line[3:]))
        elif line.startswith("cob="):
            name("ob", line[4:])
        elif line.startswith("cfn="):
            name("fn", line[4:])
    return costs


def readable(function):
    """A function's name without what differs from build to build: callgrind's marks of recursion, the linker's of modules."""
    function = re.sub(r"'\d+$", "", function)
    function = re.sub(r" \[clone \.llvm\.\d+\]|\.llvm\.\d+", "", function)
    function = re.sub(r"\(\.llvm\.\d+\)", "", function)
    function = re.sub(r"std::span<unsigned char( const)?, 18446744073709551615ul>", r"Bytes", function)
    function = re.sub(r"std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "string", function)
    return re.sub(r"std::basic_string_view<char, std::char_traits<char> >", "string_view", function).replace("(anonymous namespace)::", "")


# ---- counting ----------------------------------------------------------------------------------------------------------------


class Gateway:
    """A gateway that runs under callgrind."""

    def __init__(self, name, program, folder, backend):
        self.name = name
        self.program = program
        self.folder = folder
        self.dumps = 0
        self.port = free_port()
        config = folder / f"{name}.yaml"
        text, self.routes = config_of(program)
        config.write_text(text.format(name=name, port=self.port, admin=free_port(), backend=backend, host=credentials.HOST, origin=credentials.ORIGIN,
                                        issuer=credentials.ISSUER))
        self.output = folder / f"{name}.out"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/{name}.callgrind", f"--vgdb-prefix={folder}/vgdb",
                 str(program), "serve", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        deadline = time.monotonic() + 120
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{name}: {program} did not start:\n{self.output.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def settle(self):
        """Waits until every thread sleeps: what the end of a load leaves to do belongs to that load."""
        quiet = 0
        while quiet < 3:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name}: ended with status {self.process.returncode}:\n{self.output.read_text()}")
            tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat")
            states = {task.read_text().rpartition(")")[2].split()[0] for task in tasks}
            quiet = quiet + 1 if states == {"S"} else 0
            time.sleep(0.01)

    def profile(self):
        """What was spent since the last call."""
        self.settle()
        command = ["vgdb", f"--pid={self.process.pid}", f"--vgdb-prefix={self.folder}/vgdb", "dump"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.dumps += 1
        path = self.folder / f"{self.name}.callgrind.{self.dumps}"
        if done.returncode != 0 or not path.exists():
            raise SystemExit(f"{self.name}: no profile from callgrind:\n{done.stdout}{self.output.read_text()}")
        return parse_profile(path.read_text())


def spend(options, gateway, load, count):
    """Puts `count` messages or handshakes on the gateway, one connection at a time."""
    command = [str(options.programs / "bench_load"), "--port", str(gateway.port), "--host", credentials.HOST, "--path", f"/{load.route}",
               "--origin", credentials.ORIGIN, "--token-file", "token-ES256", *load.arguments]  # of an option given twice the last one counts
    done = subprocess.run(command, input=load.command.replace("COUNT", str(count)) + "\n", stdout=subprocess.DEVNULL, cwd=gateway.folder, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{gateway.name}: the load '{load.name}' failed; its own word is above, logs are in {gateway.folder}")


def count_once(options, gateway, load):
    """The cost of one, by the difference of two loads: starting, connecting and ending cost both the same."""
    gateway.profile()
    spend(options, gateway, load, load.count)
    fewer = gateway.profile()
    spend(options, gateway, load, 2 * load.count)
    more = gateway.profile()
    more.subtract(fewer)
    return Cost({name: cost / load.count for name, cost in more.items() if cost}, gateway.program.name)


def warm(options, gateway, loads):
    """What is done once, or until some cache is full, is not what one more costs."""
    for load in loads:
        if load.route in gateway.routes:
            spend(options, gateway, load, 20)


class Bench:
    """One echo backend and a gateway for each of `programs`, as long as the block lasts."""

    def __init__(self, options, programs):
        self.options = options
        self.programs = programs
        self.gateways = {}

    def __enter__(self):
        folder = WORK / f"run-{os.getpid()}"
        folder.mkdir(parents=True)
        self.folder = folder
        credentials.make(folder, self.options.programs / "bench_load")
        head, _, signature = (folder / "token-ES256").read_text().strip().rpartition(".")
        (folder / "forged").write_text(f"{head}.{signature[1:21][::-1]}{signature[20:]}\n")
        self.echo = subprocess.Popen([str(self.options.programs / "bench_echo")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        backend = int(self.echo.stdout.readline())
        try:
            for name, program in self.programs.items():
                self.gateways[name] = Gateway(name, program, folder, backend)
                warm(self.options, self.gateways[name], self.options.loads)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        for gateway in self.gateways.values():
            gateway.stop()
        self.echo.stdin.close()
        self.echo.wait()
        if kind is None:
            shutil.rmtree(self.folder)

    def count(self, load, rounds):
        """The median cost on each gateway that can bear the load, and how far its rounds lie apart; one gateway after the other in
        each round."""
        able = {name: gateway for name, gateway in self.gateways.items() if load.route in gateway.routes}
        costs = {name: [] for name in able}
        for _ in range(rounds):
            for name, gateway in able.items():
                costs[name].append(count_once(self.options, gateway, load))
        found = {}
        for name, several in costs.items():
            several.sort(key=lambda cost: cost.total)
            found[name] = several[len(several) // 2], several[-1].total / several[0].total - 1
        return found


# ---- figures -----------------------------------------------------------------------------------------------------------------


def machine():
    """Where equal programs have equal figures. Valgrind shows every x86-64 machine with AVX2 as the same processor."""
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return {"architecture": platform.machine(), "avx2": bool(re.search(r"\bavx2\b", flags)), **dict(line.split() for line in listed.stdout.splitlines())}


def figures_of(costs):
    return {load.name: {"total": round(cost.total), "own": round(cost.own)} for load, cost in costs.items()}


def judge(measured, committed, here, limit):
    """Lines to print and those of them that say what is too dear. With other libraries than the committed figures were taken with,
    only what the program's own code spends can be compared."""
    lines, failures = [], []
    differing = sorted(name for name in {*here, *committed["machine"]} if here.get(name) != committed["machine"].get(name))
    kind = "own" if differing else "total"
    if differing:
        lines.append(f"other than when the figures were taken: {', '.join(differing)}; so only the program's own instructions are compared")
    for name, figure in measured.items():
        known = committed["figures"].get(name)
        if known is None:
            failures.append(f"{name}: has no committed figure")
            continue
        change = figure[kind] / known[kind] - 1
        too_dear = figure[kind] > known[kind] * (1 + limit)
        verdict = "MORE" if too_dear else "less" if change < -limit else "ok"
        lines.append(f"{name:34} {figure[kind]:>12,} {known[kind]:>12,} {100 * change:>+7.1f} %  {verdict}")
        if too_dear:
            failures.append(f"{name}: {figure[kind]:,} instructions instead of {known[kind]:,}, {100 * change:+.1f} % (at most {100 * limit:+.0f} %)")
    return lines, failures


def count_all(bench, loads, rounds):
    found = {load: bench.count(load, rounds) for load in loads}
    return figures_of({load: costs["new"][0] for load, costs in found.items() if costs})


def check(options):
    committed = json.loads(options.figures.read_text())
    here, theirs = machine(), committed["machine"]["architecture"]
    if here["architecture"] != theirs:
        say(f"NOT CHECKED  the committed figures are of {theirs} and say nothing about {here['architecture']}")
        return 1 if os.environ.get("CI") else 0
    with Bench(options, {"new": options.sallyport}) as bench:
        measured = count_all(bench, options.loads, options.rounds or 1)
        # Once more for what looks too dear: what disturbs a count makes it larger.
        for load in options.loads:
            if load.name in measured and judge({load.name: measured[load.name]}, committed, here, options.limit)[1]:
                again = count_all(bench, [load], 1)
                measured[load.name] = min(measured[load.name], again[load.name], key=lambda figure: figure["total"])
    lines, failures = judge(measured, committed, here, options.limit)
    say(f"{'instructions per':34} {'now':>12} {'committed':>12} {'change':>9}")
    for line in lines:
        say(line)
    if not failures:
        if any(line.endswith(" less") for line in lines):
            say("something costs less than committed: `make bench-baseline` keeps it so")
        return 0
    since = subprocess.run(["git", "log", "-1", "--format=%h", "--", str(FIGURES)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    say("")
    for failure in failures:
        say(f"TOO DEAR  {failure}")
    say(f"which functions grew:  make bench-compare BASE={since.stdout.strip() or 'HEAD'}")
    say("when it is worth it:   make bench-baseline, and commit bench/results/instructions.json with the reason")
    return 1


def baseline(options):
    with Bench(options, {"new": options.sallyport}) as bench:
        found = {load: bench.count(load, options.rounds or 3) for load in options.loads}
    found = {load: costs["new"] for load, costs in found.items() if costs}
    for load, (cost, spread) in found.items():
        say(f"{load.name:34} {cost.total:>12,.0f} {cost.own:>12,.0f} own   rounds within {100 * spread:.2f} %")
    figures = figures_of({load: cost for load, (cost, _) in found.items()})
    options.figures.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n")
    say(f"written to {options.figures}")
    return 0


# ---- two revisions -----------------------------------------------------------------------------------------------------------


def build(revision):
    """The gateway of `revision`, built as the present one is, in a work tree that stays for the next time."""
    tree = WORK / "base"
    git = ["git", "-C", str(ROOT)]
    subprocess.run([*git, "worktree", "prune"], check=True)
    if (tree / ".git").exists():
        subprocess.run(["git", "-C", str(tree), "checkout", "--quiet", "--detach", revision], check=True)
    else:
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(tree), revision], check=True)
    subprocess.run([str(tree / "scripts/build"), "release", "sallyport"], check=True)
    return tree / "build/release/sallyport"


def print_changes(old, new, most=12):
    """The functions whose cost changed most. One that was inlined elsewhere shows as less here and more there."""
    changes = {name: new.functions.get(name, 0) - old.functions.get(name, 0) for name in {*old.functions, *new.functions}}
    for (binary, function), change in sorted(changes.items(), key=lambda item: -abs(item[1]))[:most]:
        if abs(change) < max(1, 0.001 * old.total):
            break
        say(f"    {change:>+12,.0f}  {old.functions.get((binary, function), 0):>12,.0f} -> {new.functions.get((binary, function), 0):<12,.0f} "
            f"{binary}: {function[:110]}")


def against(options):
    found = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", options.revision + "^{commit}"], stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        say(f"compare.py: git knows no revision '{options.revision}'")
        return 2
    programs = {"base": build(found.stdout.strip()), "new": options.sallyport}
    report, failures = {}, []
    say(f"{'instructions per':34} {'base':>12} {'new':>12} {'ratio':>7} {'own base':>10} {'own new':>10}   rounds within")
    with Bench(options, programs) as bench:
        for load in options.loads:
            costs = bench.count(load, options.rounds or 3)
            if len(costs) < len(programs):
                say(f"{load.name:34} not in both revisions")
                continue
            (old, old_spread), (new, new_spread) = costs["base"], costs["new"]
            ratio = new.total / old.total
            say(f"{load.name:34} {old.total:>12,.0f} {new.total:>12,.0f} {ratio:>7.3f} {old.own:>10,.0f} {new.own:>10,.0f}   "
                f"{100 * max(old_spread, new_spread):.2f} %")
            if abs(ratio - 1) > options.explain:
                print_changes(old, new)
            report[load.name] = {
                "base": {"total": round(old.total), "own": round(old.own), "spread": round(old_spread, 5)},
                "new": {"total": round(new.total), "own": round(new.own), "spread": round(new_spread, 5)},
                "ratio": round(ratio, 4),
            }
            if ratio > 1 + options.limit:
                failures.append(f"{load.name}: {100 * (ratio - 1):+.1f} % (at most {100 * options.limit:+.0f} %)")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({"base": found.stdout.strip(), "machine": machine(), "loads": report}, indent=1) + "\n")
    say(f"written to {options.output}")
    for failure in failures:
        say(f"TOO DEAR  {failure}")
    return 1 if failures else 0


def say(text):
    print(text, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, summary in (("against", "compare with another revision"), ("check", "compare with the committed figures"), ("baseline", "write the figures")):
        each = verbs.add_parser(verb, help=summary)
        if verb == "against":
            each.add_argument("revision")
            each.add_argument("--output", type=pathlib.Path, default=WORK / "latest.json")
            each.add_argument("--explain", type=float, default=0.01, help="list functions where the total changed by more than this share")
        each.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release", help="folder of bench_load and bench_echo")
        each.add_argument("--sallyport", type=pathlib.Path, default=ROOT / "build/release/sallyport", help="the gateway to count")
        each.add_argument("--figures", type=pathlib.Path, default=FIGURES, help="the committed figures")
        each.add_argument("--rounds", type=int, default=0, help="medians of so many (3; for check 1, and 1 more of what is too dear)")
        each.add_argument("--limit", type=float, default=0.05, help="the share by which something may cost more (0.05)")
        each.add_argument("--only", default="", help="loads whose name contains this")
    options = parser.parse_args()
    options.programs, options.sallyport = options.programs.resolve(), options.sallyport.resolve()
    options.loads = [load for load in LOADS if options.only in load.name]
    if not options.loads:
        parser.error(f"no load is called '{options.only}'")
    return options


def main():
    options = parse_arguments()
    for program in (options.sallyport, options.programs / "bench_load", options.programs / "bench_echo"):
        if not program.exists():
            say(f"compare.py: {program} is not there; `make bench-check` builds it")
            return 1
    return {"against": against, "check": check, "baseline": baseline}[options.verb](options)


if __name__ == "__main__":
    sys.exit(main())
