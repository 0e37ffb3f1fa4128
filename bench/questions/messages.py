"""What does a message cost? CPU time per echoed message, TLS to the client, plain to the backend, closed loop."""

from loadgen import Series

from .rounds import opened, rotated, started

NAME, TITLE = "messages", "CPU per message"

# The whole matrix for those that are compared closely, one in flight and the usual size for the rest.
CLOSE = ("nginx", "nginx-64k", "haproxy", "forwarder", "sallyport", "sallyport-bare")
STRUCTURED = ("node", "sallyport", "sallyport-bare")


def cells(bench) -> list[tuple[str, int, int, tuple | None]]:
    """(name, size, in flight, peers)."""
    found = [(f"{size} B", size, 1, None) for size in bench.options.sizes]
    found += [(f"{size} B, 16 in flight", size, 16, None if size == 512 else CLOSE) for size in bench.options.sizes]
    return found


def estimate(bench) -> float:
    samples = sum(len(bench.chosen(peers)) for _, _, _, peers in cells(bench))
    if bench.options.structured:
        samples += len(bench.chosen(STRUCTURED))
    return 3 * len(bench.chosen()) + bench.options.rounds * samples * bench.sample_seconds


def ask(bench) -> dict:
    series = {name: Series(bench) for name, *_ in cells(bench)}
    structured = Series(bench)
    with started(bench) as peers, opened(bench, peers, bench.options.connections) as loads, opened(
            bench, [peer for peer in peers if bench.options.structured and peer.name in STRUCTURED], bench.options.connections, "--records") as records:
        if not loads:
            return {}
        for turn, order in rotated(bench, list(loads)):
            for name, size, in_flight, wanted in cells(bench):
                for peer in order:
                    if wanted is None or peer.name in wanted:
                        series[name].take(peer, lambda peer=peer: loads[peer].sample("messages", size, in_flight, bench.options.warmup, bench.options.seconds))
            for peer in order:
                if peer in records:
                    structured.take(peer, lambda peer=peer: records[peer].sample("messages", 65536, 1, bench.options.warmup, bench.options.seconds))
            bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    found = {name: each.result() for name, each in series.items()}
    if structured.samples:
        found["65536 B of records"] = structured.result()
    return found
