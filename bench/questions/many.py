"""What does a message cost where thousands are connected? As messages.py, over many connections at once."""

from loadgen import Series

from .rounds import opened, rotated, started

NAME, TITLE = "many", "CPU per message, many connections"
PEERS = ("nginx", "haproxy", "forwarder", "sallyport")
SIZE = 512


def estimate(bench) -> float:
    peers = len(bench.chosen(PEERS))
    return peers * (2 + bench.options.many * 0.0016 + bench.options.rounds * (bench.sample_seconds + 0.3))


def ask(bench) -> dict:
    series = Series(bench)
    with started(bench, PEERS) as peers, opened(bench, peers, bench.options.many) as loads:
        if not loads:
            return {}
        for turn, order in rotated(bench, list(loads)):
            for peer in order:
                series.take(peer, lambda peer=peer: loads[peer].sample("messages", SIZE, 1, bench.options.warmup + 0.3, bench.options.seconds))
            bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    return {f"{SIZE} B, {bench.options.many} connections": series.result()}
