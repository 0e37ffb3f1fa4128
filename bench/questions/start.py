"""How soon is it there? From the start of the process to the first accepted connection and to the first echoed message, over
TLS; and how large is the program?"""

import time

from loadgen import Failed, Load

from .rounds import rotated

NAME, TITLE = "start", "start-up and size"
PEERS = ("nginx", "haproxy", "caddy", "envoy", "node", "forwarder", "sallyport")


def estimate(bench) -> float:
    return len(bench.chosen(PEERS)) * bench.options.rounds * 0.7


def start(bench, peer) -> dict:
    try:
        peer.prepare()
        with Load(bench, peer) as load:
            load.ask("ready", 30)
            begin = time.monotonic_ns()
            peer.launch()
            answer = load.answer()
        return {"connected_ms": (answer["connected_ns"] - begin) / 1e6, "echoed_ms": (answer["echoed_ns"] - begin) / 1e6}
    finally:
        peer.stop()


def ask(bench) -> dict:
    peers = bench.chosen(PEERS)
    found = {peer.name: {"binary_bytes": peer.binary_bytes(), "connected_ms": [], "echoed_ms": []} for peer in peers}
    for turn, order in rotated(bench, peers):
        for peer in order:
            try:
                for name, value in start(bench, peer).items():
                    found[peer.name][name].append(round(value, 2))
            except Failed as failure:
                bench.complain(str(failure))
        bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    return found
