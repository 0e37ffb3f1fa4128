"""What the questions share: peers in rotated order, round by round, all started at once."""

import contextlib

from loadgen import Failed, Load


def rotated(bench, peers):
    """(round, peers) for each round; another peer goes first each time."""
    for turn in range(bench.options.rounds):
        yield turn, peers[turn % len(peers):] + peers[:turn % len(peers)]


@contextlib.contextmanager
def started(bench, names=None):
    """The peers of `names` that could be started."""
    with contextlib.ExitStack() as stack:
        running = []
        for peer in bench.chosen(names):
            try:
                running.append(stack.enter_context(peer.start()))
            except Failed as failure:
                bench.complain(str(failure))
        yield running


@contextlib.contextmanager
def opened(bench, peers, connections, *arguments, listener="tls"):
    """{peer: its Load}, each with so many open connections, for those that could open them."""
    with contextlib.ExitStack() as stack:
        loads = {}
        for peer in peers:
            load = stack.enter_context(Load(bench, peer, *arguments, listener=listener))
            try:
                load.ask("open", connections)
                loads[peer] = load
            except Failed as failure:
                bench.complain(str(failure))
        yield loads
