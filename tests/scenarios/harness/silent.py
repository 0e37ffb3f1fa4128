"""Sockets that are accepted and never say who they are, from a process of its own: `silent.py HOST PORT COUNT AT_ONCE` reads the upgrade
request as JSON from standard input, keeps AT_ONCE of them open, opens another for each that ends until there were COUNT, and prints
how the sockets ended: by status of a refusal, by close code, or "open" for those that were left in the end."""

from __future__ import annotations

import collections
import json
import select
import socket
import sys


class Silent:
    def __init__(self, number: int, address: tuple[str, int], request: bytes):
        self.request, self.data = request, b""
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind((f"127.0.{16 + number % 100}.{1 + number // 100 % 250}", 0))
        self.sock.connect_ex(address)

    def ended(self) -> str:
        head, _, rest = self.data.partition(b"\r\n\r\n")
        if not head:
            return "no answer"
        status = int(head[9:12])
        if status != 101:
            return str(status)
        # A close frame is all that it can have been told.
        return str(int.from_bytes(rest[2:4], "big")) if rest[:1] == b"\x88" else "cut"


def main() -> None:
    address, count, at_once = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
    request = json.load(sys.stdin).encode()
    ends: collections.Counter = collections.Counter()
    poll, sockets, begun = select.epoll(), {}, 0

    def begin() -> None:
        nonlocal begun
        silent = Silent(begun, address, request)
        begun += 1
        sockets[silent.sock.fileno()] = silent
        poll.register(silent.sock.fileno(), select.EPOLLOUT)

    while begun < min(at_once, count):
        begin()
    while begun < count:
        for descriptor, event in poll.poll(30):
            silent = sockets[descriptor]
            gone = False
            try:
                if event & select.EPOLLOUT:
                    silent.sock.send(silent.request)
                    poll.modify(descriptor, select.EPOLLIN)
                elif data := silent.sock.recv(65536):
                    silent.data += data
                    gone = b"\x88" in silent.data.partition(b"\r\n\r\n")[2][:1]
                else:
                    gone = True
            except OSError:
                gone = True
            if gone:
                ends[silent.ended()] += 1
                poll.unregister(descriptor)
                silent.sock.close()
                del sockets[descriptor]
                if begun < count:
                    begin()
    for silent in sockets.values():
        ends["open"] += 1
        silent.sock.close()
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
