#!/usr/bin/env python3
"""What each way to authenticate costs a handshake: CPU of the gateway, time until the 101, and how often somebody else is asked.

usage: bench/mechanisms.py [--handshakes 300] [--rounds 5] [--output bench/results/mechanisms.json]

Credentials, servers and gateway are those of the matrix of who is let in (tests/scenarios/harness/mechanisms.py). Every handshake shows a
credential that was never seen before. What a handshake without any costs, in the same round, is taken off. One after the other, over
plain TCP, or over TLS where a certificate is the credential. CPU is the kernel's account of all threads of the gateway."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import pathlib
import re
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/scenarios"))

from harness import mechanisms  # noqa: E402
from harness.client import upgrade  # noqa: E402
from harness.world import World  # noqa: E402

APP = ("Origin", "https://app.example.com")


class Nobody(mechanisms.Mechanism):
    """The handshake that everything is compared with."""

    name = "none"

    def authenticate(self, world):
        return [{"dangerous_anonymous": {}}]

    async def credential(self, world, gateway, path, state):
        return mechanisms.Credential()


class NobodyInTls(Nobody):
    name = "none, TLS"


ALL = [Nobody(), NobodyInTls(), *mechanisms.MECHANISMS]


def config(world: World) -> dict:
    routes, top = {}, {}
    for number, mechanism in enumerate(ALL):
        top |= mechanism.top(world)
        routes[mechanism.name] = {"match": {"host": "gw.example.test", "path": f"/{number}"}, "upstream": {"url": "$main"},
                                  "origins": [APP[1]], "authenticate": mechanism.authenticate(world),
                                  "limits": {"connections_per_identity": 100000, "connections_per_ip": 100000}}
    listen = top.pop("listen", None) or [{"address": "127.0.0.1:0", "tls": {"certificates": [{"certificate": "gateway.pem", "key": "gateway.key"}]}}]
    return {"threads": 1, "listen": [*listen, {"address": "127.0.0.2:0"}], "routes": routes} | top


def cpu_ns(pid: int) -> int:
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


async def store_calls(gateway) -> int:
    page = (await gateway.admin("GET", "/metrics")).body.decode()
    return int(float(re.search(r"^sallyport_store_calls_total (\S+)$", page, re.M)[1]))


async def sample(world: World, gateway, mechanism, number: int, count: int) -> dict | None:
    credentials = []
    for _ in range(count):
        made = await mechanism.credential(world, gateway, f"/{number}", "good")
        if isinstance(made, mechanisms.Makes):
            return None
        credentials.append(made)
    in_tls = mechanism.name == NobodyInTls.name or credentials[0].certificate is not None
    address = gateway.addresses["127.0.0.1" if in_tls else "127.0.0.2"]
    asked, calls = mechanism.asked(world), await store_calls(gateway)
    cpu, waits = cpu_ns(gateway.pid), []
    for credential in credentials:
        client = await mechanisms.Client.connect(address, tls=world.tls_of(credential.certificate) if in_tls else None)
        began = time.perf_counter()
        client.write(upgrade(f"/{number}{credential.query}", headers=[APP, *credential.headers]))
        answer = await client.read_answer()
        waits.append(time.perf_counter() - began)
        assert answer.status == 101, (mechanism.name, answer.status)
        client.reset()
    spent = (cpu_ns(gateway.pid) - cpu) / count / 1000
    found = {"cpu_us": spent, "latency_us": statistics.median(waits) * 1e6, "store_calls": (await store_calls(gateway) - calls) / count}
    if asked is not None:
        found["asked"] = (mechanism.asked(world) - asked) / count
    return found | {"tls": in_tls}


async def measure(world: World, options) -> dict:
    for mechanism in ALL:
        await mechanism.start(world)
    gateway = await world.fresh_gateway(config(world))
    rounds: dict[str, list[dict]] = {mechanism.name: [] for mechanism in ALL}
    for turn in range(options.rounds):
        order = list(enumerate(ALL))
        for number, mechanism in order if turn % 2 == 0 else reversed(order):
            found = await sample(world, gateway, mechanism, number, options.handshakes)
            if found:
                rounds[mechanism.name].append(found)
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
    await gateway.stop()
    results = {}
    for name, samples in rounds.items():
        if not samples:
            continue
        base = rounds["none, TLS" if samples[0]["tls"] else "none"]
        results[name] = {
            "cpu_us": round(statistics.median(one["cpu_us"] - zero["cpu_us"] for one, zero in zip(samples, base)), 1),
            "latency_us": round(statistics.median(one["latency_us"] - zero["latency_us"] for one, zero in zip(samples, base)), 1),
            "store_calls": round(statistics.median(one["store_calls"] for one in samples), 2),
            "asked": round(statistics.median(one["asked"] for one in samples), 2) if "asked" in samples[0] else 0,
        }
        if name.startswith("none"):
            results[name] = {"cpu_us": round(statistics.median(one["cpu_us"] for one in samples), 1),
                             "latency_us": round(statistics.median(one["latency_us"] for one in samples), 1), "store_calls": 0, "asked": 0}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--handshakes", type=int, default=300, help="of one mechanism in one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "bench/results/mechanisms.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(pathlib.Path(folder))
        results = world.run(measure(world, options))
        world.close()
    width = max(map(len, results))
    print(f"{'':{width}}  CPU, µs  until the 101, µs  store calls  others asked")
    for name, found in results.items():
        print(f"{name:{width}}  {found['cpu_us']:7.0f}  {found['latency_us']:17.0f}  {found['store_calls']:11.2f}  {found['asked']:12.2f}")
    options.output.write_text(json.dumps({"taken": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                                          "handshakes": options.handshakes, "rounds": options.rounds, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
