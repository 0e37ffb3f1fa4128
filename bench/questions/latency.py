"""How long does a message take? Open loop at one rate for all, half of nginx's maximum, from the time it was due."""

import statistics

from loadgen import Series

from .rounds import opened, rotated, started

NAME, TITLE = "latency", "latency at a fixed rate"
SIZE = 512
PEERS = ("nginx", "haproxy", "caddy", "envoy", "node", "forwarder", "sallyport")
# Where there is no nginx to take the half of.
FALLBACK = 8000


def estimate(bench) -> float:
    peers = len(bench.chosen(PEERS))
    return 3 * peers + 4 * bench.sample_seconds + bench.options.rounds * peers * (bench.sample_seconds + bench.options.seconds)


def ask(bench) -> dict:
    series = Series(bench)
    with started(bench, PEERS) as peers, opened(bench, peers, bench.options.connections) as loads:
        if not loads:
            return {}
        rate = bench.options.rate or FALLBACK
        nginx = next((peer for peer in loads if peer.name == "nginx"), None)
        if nginx and not bench.options.rate:
            most = [loads[nginx].sample("messages", SIZE, 1, bench.options.warmup, bench.options.seconds)["per_second"] for _ in range(3)]
            rate = round(statistics.median(most) / 2)
        for turn, order in rotated(bench, list(loads)):
            for peer in order:
                series.take(peer, lambda peer=peer: loads[peer].sample("rate", SIZE, rate, bench.options.warmup, 2 * bench.options.seconds))
            bench.progress(f"round {turn + 1}, {rate} messages a second", (turn + 1) / bench.options.rounds)
    return {"rate": rate, "peers": series.result()}
