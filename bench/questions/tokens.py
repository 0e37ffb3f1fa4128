"""What does a credential cost? Handshakes as in handshakes.py with each kind of token, the same one again and again, and one
that was never seen before on every connection."""

from credentials import ALGORITHMS
from loadgen import Load, Series

from .handshakes import AT_A_TIME
from .rounds import started

NAME, TITLE = "tokens", "CPU per handshake by token"
PATHS = {"HS256": "/hs"}


def estimate(bench) -> float:
    kinds = 2 * (len(ALGORITHMS) + 1) + 1
    return 2 + kinds * bench.options.rounds * (bench.sample_seconds + 0.1) + opaque_tokens(bench) * bench.options.rounds * 0.004


def opaque_tokens(bench) -> int:
    """For one sample of fresh ones: as many as a sample of the usual length can use, within reason."""
    return min(1000, int(1200 * (bench.options.warmup + bench.options.seconds)))


def issue(gateway, count: int) -> list[str]:
    return [gateway.admin("POST", "/v1/tokens", {"sub": "load", "ttl": "1h"})["token"] for _ in range(count)]


def ask(bench) -> dict:
    names = ["none"] + [f"{algorithm}, {how}" for algorithm in (*ALGORITHMS, "opaque") for how in ("same", "fresh")]
    series = {name: Series(bench) for name in names}
    with started(bench, ("sallyport", "sallyport-bare")) as peers:
        gateway = next((peer for peer in peers if peer.name == "sallyport"), None)
        bare = next((peer for peer in peers if peer.name == "sallyport-bare"), None)
        if gateway is None:
            return {}
        same = bench.folder / "token-opaque"
        same.write_text(issue(gateway, 1)[0] + "\n")
        for turn in range(bench.options.rounds):
            some = bench.folder / "tokens-opaque"
            some.write_text("\n".join(issue(gateway, opaque_tokens(bench))) + "\n")
            for name in names if turn % 2 == 0 else reversed(names):
                algorithm, _, how = name.partition(", ")
                if name == "none" and bare is None:
                    continue
                arguments = ("--path", PATHS.get(algorithm, "/ws"))
                if algorithm == "opaque":
                    arguments = ("--path", "/opaque", "--token-file", same if how == "same" else some)
                elif how == "same":
                    arguments += ("--token-file", bench.folder / f"token-{algorithm}")
                elif how == "fresh":
                    arguments += ("--sign", algorithm, bench.folder / f"sign-{algorithm}")

                def sample(arguments=arguments, peer=bare if name == "none" else gateway, once=(name == "opaque, fresh")):
                    with Load(bench, peer, *arguments) as load:
                        words = ("handshakes", AT_A_TIME, bench.options.warmup, bench.options.seconds)
                        # Tokens that were shown are no longer fresh: this sample cannot be taken again.
                        return load.ask(*words, *peer.pids()) | {"foreign": 0} if once else load.sample(*words)
                series[name].take(gateway, sample)
            bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    return {name: each.result().get("sallyport", {}) for name, each in series.items()}
