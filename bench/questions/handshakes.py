"""What does a connection cost? TLS 1.3 handshake, upgrade, backend's upgrade, close frame both ways; 16 at a time."""

from loadgen import Load, Series

from .rounds import rotated, started

NAME, TITLE = "handshakes", "CPU per handshake"
PEERS = ("nginx", "haproxy", "caddy", "envoy", "node", "forwarder", "sallyport", "sallyport-bare")
AT_A_TIME = 16
# What a gateway that checks tokens sees: a token that it never saw before, on each connection.
FRESH = {"sallyport": "ES256", "node": "ES256"}
KINDS = {
    "full, ECDSA": ("tls", ()),
    "resumed, ECDSA": ("tls", ("--resume",)),
    "full, RSA": ("rsa", ()),
    "no TLS": ("plain", ()),
}


def fresh(bench, peer) -> tuple:
    algorithm = FRESH.get(peer.name)
    return ("--sign", algorithm, bench.folder / f"sign-{algorithm}") if algorithm else ()


def estimate(bench) -> float:
    return len(bench.chosen(PEERS)) * (1 + len(KINDS) * bench.options.rounds * (bench.sample_seconds + 0.1))


def ask(bench) -> dict:
    series = {kind: Series(bench) for kind in KINDS}
    with started(bench, PEERS) as peers:
        if not peers:
            return {}
        for turn, order in rotated(bench, peers):
            for kind, (listener, arguments) in KINDS.items():
                for peer in order:
                    def sample(peer=peer, listener=listener, arguments=arguments):
                        with Load(bench, peer, *arguments, *fresh(bench, peer), listener=listener) as load:
                            if "--resume" in arguments:  # sessions to resume
                                load.ask("connect", AT_A_TIME, AT_A_TIME)
                            return load.sample("handshakes", AT_A_TIME, bench.options.warmup, bench.options.seconds)
                    series[kind].take(peer, sample)
            bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    return {kind: each.result() for kind, each in series.items()}
