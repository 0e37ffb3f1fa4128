"""Many open WebSockets that do nothing but wait for their end, from a process of its own: `crowd.py HOST PORT` reads the upgrade
requests, one JSON array of texts in a line, and prints "open". For every further line, an object with the number of ends to wait
for, it prints when each close frame arrived, by the kernel's clock, so that the slowness of this program is not measured."""

from __future__ import annotations

import json
import select
import socket
import struct
import sys

SO_TIMESTAMPNS = 35
AT_ONCE = 100


def main() -> None:
    address = (sys.argv[1], int(sys.argv[2]))
    requests = [text.encode() for text in json.loads(sys.stdin.readline())]
    sockets: dict[int, socket.socket] = {}
    for first in range(0, len(requests), AT_ONCE):
        fresh = []
        for number, request in enumerate(requests[first : first + AT_ONCE], first):
            sock = socket.socket()
            sock.bind((f"127.0.{16 + number % 200}.{1 + number // 200 % 250}", 0))
            sock.connect(address)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sock.sendall(request)
            fresh.append(sock)
        for sock in fresh:
            answer = b""
            while b"\r\n\r\n" not in answer:
                data = sock.recv(65536)
                if not data:
                    raise SystemExit(f"refused: {answer!r}")
                answer += data
            if not answer.startswith(b"HTTP/1.1 101 "):
                raise SystemExit(f"refused: {answer!r}")
            sockets[sock.fileno()] = sock
    poll = select.epoll()
    for descriptor in sockets:
        poll.register(descriptor, select.EPOLLIN)
    print("open", flush=True)
    for line in sys.stdin:
        wanted, arrivals, codes = json.loads(line)["ends"], [], []
        while len(arrivals) < wanted:
            events = poll.poll(10)
            if not events:
                break
            for descriptor, _ in events:
                sock = sockets.pop(descriptor)
                poll.unregister(descriptor)
                data, about, _, _ = sock.recvmsg(256, 256)
                seconds, nanoseconds = struct.unpack("qq", next(value for _, kind, value in about if kind == SO_TIMESTAMPNS)[:16])
                arrivals.append(seconds + nanoseconds / 1e9)
                codes.append(struct.unpack(">H", data[2:4])[0] if data[:1] == b"\x88" else 0)
                sock.close()
        print(json.dumps({"arrivals": arrivals, "codes": codes}), flush=True)


if __name__ == "__main__":
    main()
