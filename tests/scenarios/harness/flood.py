"""Refused upgrades in bulk, from a process of its own: `flood.py HOST PORT COUNT` reads the requests to send in turn as JSON from
standard input and prints how often each status came; 0 stands for an end without an answer."""

from __future__ import annotations

import collections
import json
import select
import socket
import sys

AT_ONCE = 64


def flood(address: tuple[str, int], count: int, requests: list[bytes]) -> collections.Counter:
    statuses: collections.Counter = collections.Counter()
    poll, open_sockets, begun = select.epoll(), {}, 0

    def begin() -> None:
        nonlocal begun
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((f"127.0.16.{1 + begun % 200}", 0))  # one address has too few ports
        sock.connect_ex(address)
        open_sockets[sock.fileno()] = [sock, requests[begun % len(requests)], b""]
        poll.register(sock.fileno(), select.EPOLLOUT)
        begun += 1

    while begun < min(AT_ONCE, count):
        begin()
    while open_sockets:
        for descriptor, event in poll.poll(10):
            entry = open_sockets[descriptor]
            sock, request, answer = entry
            ended = False
            try:
                if event & select.EPOLLOUT:
                    sock.send(request)
                    poll.modify(descriptor, select.EPOLLIN)
                elif data := sock.recv(65536):
                    entry[2] = answer + data
                else:
                    ended = True
            except OSError:
                ended = True
            if ended:
                statuses[int(entry[2][9:12] or 0)] += 1
                poll.unregister(descriptor)
                sock.close()
                del open_sockets[descriptor]
                if begun < count:
                    begin()
    return statuses


if __name__ == "__main__":
    print(json.dumps(flood((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), [text.encode() for text in json.load(sys.stdin)])))
