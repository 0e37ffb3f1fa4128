"""What does an idle connection hold? Resident memory that many open ones add to a server that has just started."""

import time

import machine
from loadgen import Failed, Load

NAME, TITLE = "memory", "memory per idle connection"
PEERS = ("nginx", "haproxy", "caddy", "envoy", "node", "forwarder", "sallyport")


def estimate(bench) -> float:
    return len(bench.chosen(PEERS)) * (6 + bench.options.idle * 0.0026)


def held(bench, peer, listener: str) -> float:
    """Bytes for each of the connections, every one of which has had a message echoed."""
    with peer.start():
        with Load(bench, peer, listener=listener) as first:
            first.ask("open", 1)
        before = machine.rss_bytes(peer.pids())
        with Load(bench, peer, listener=listener) as load:
            load.ask("open", bench.options.idle)
            time.sleep(min(1, 2 * bench.options.seconds))
            return (machine.rss_bytes(peer.pids()) - before) / bench.options.idle


def ask(bench) -> dict:
    found = {"connections": bench.options.idle, "wss": {}, "ws": {}}
    peers = bench.chosen(PEERS)
    for number, peer in enumerate(peers, 1):
        for kind, listener in (("wss", "tls"), ("ws", "plain")):
            try:
                found[kind][peer.name] = round(held(bench, peer, listener))
            except Failed as failure:
                bench.complain(str(failure))
        bench.progress(peer.name, number / len(peers))
    return found
