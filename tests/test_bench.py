"""The bench in its shortest form: it must work when it is needed. What it measures in so short a time means nothing."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("SALLYPORT_BUILD", "build/release")
LOAD = BUILD / "bench_load"
QUESTIONS = ("memory", "revocation", "messages", "latency", "handshakes", "loops")
PROMISES = ("CPU per 512 B message / nginx", "CPU per full handshake with a fresh ES256 token / nginx without any",
            "p99 latency at half of nginx's maximum rate / nginx", "memory per idle wss connection",
            "closing live wss connections by one revocation, until the last close frame", "throughput of two loops / one")


@pytest.fixture(autouse=True)
def built():
    if not LOAD.exists():
        pytest.fail(f"{LOAD} is not built; `scripts/build release bench` builds it")


def test_the_shortest_run(tmp_path):
    if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.fail("nginx is not installed; `scripts/packages test` installs it")
    run = subprocess.run(
        [sys.executable, ROOT / "bench/run.py", "--programs", BUILD, "--sallyport", BUILD / "sallyport", "--only", ",".join(QUESTIONS), "--peers",
         "nginx,sallyport", "--rounds", "1", "--seconds", "0.1", "--warmup", "0.02", "--retries", "0", "--connections", "4", "--idle", "20", "--sizes",
         "64,512", "--no-structured", "--rate", "500", "--work", tmp_path / "work", "--output", tmp_path / "results"],
        capture_output=True, text=True, timeout=120)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    report = json.loads((tmp_path / "results/latest.json").read_text())
    assert report["complaints"] == [] and report["left_out"] == {} and set(report["peers"]) == {"nginx", "sallyport"}
    assert set(report["results"]) == set(QUESTIONS)

    for target in report["targets"]:
        assert set(target) >= {"name", "value", "target", "met"}
        assert (target["met"] is None) == (target["value"] is None)
        assert target["name"] in run.stdout
    measured = {target["name"] for target in report["targets"] if target["value"] is not None}
    assert measured >= set(PROMISES)
    assert run.returncode == int(any(target["met"] is False for target in report["targets"]))

    results = report["results"]
    for figures in (results["messages"]["512 B"], results["latency"]["peers"], results["handshakes"]["full, ECDSA"]):
        for peer in ("nginx", "sallyport"):
            assert len(figures[peer]["cpu_us_each"]) == 1 and figures[peer]["cpu_us_each"][0] > 0
    resumed = results["handshakes"]["resumed, ECDSA"]["sallyport"]
    assert resumed["resumed"] == resumed["done"] and resumed["done"][0] > 0
    assert results["handshakes"]["full, ECDSA"]["sallyport"]["resumed"] == [0]
    assert results["revocation"]["runs"][0]["codes"] == {"4401": 20}
    assert results["memory"]["wss"]["nginx"] > results["memory"]["ws"]["nginx"] > 0

    for name in ("messages.svg", "latency.svg", "handshakes.svg", "memory.svg"):
        assert xml.etree.ElementTree.parse(tmp_path / "results" / name).getroot().tag.endswith("svg")


def serve_once(answer) -> int:
    """A plain server that takes the upgrade and gives the first message to `answer`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        client, _ = listener.accept()
        with client, listener:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           b"Sec-WebSocket-Accept: BACScCJPNqyz+UBoqMH89VmURoA=\r\n\r\n")
            frame = client.recv(4096)
            mask, payload = frame[2:6], frame[6:]
            client.sendall(answer(bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))))
            client.recv(1)

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize("answer, says", [
    (lambda payload: b"\x81" + bytes([len(payload)]) + payload, None),
    (lambda payload: b"\x81" + bytes([len(payload)]) + payload[:-3] + b"!\"}", "another payload came back"),
    (lambda payload: b"\x81" + bytes([len(payload) - 1]) + payload[:-1], "another payload came back"),
    (lambda payload: b"\xc1" + bytes([len(payload)]) + payload, "a frame that is none"),
    (lambda payload: b"\x88\x02\x03\xe8", "closed in use"),
], ids=["honest", "changed", "shorter", "compressed", "closed"])
def test_the_load_looks_at_what_comes_back(answer, says):
    run = subprocess.run([LOAD, "--plain", "--port", str(serve_once(answer))], input="open 1\n", capture_output=True, text=True, timeout=30)
    if says is None:
        assert run.returncode == 0 and json.loads(run.stdout) == {"open": 1}
    else:
        assert run.returncode == 1 and says in run.stderr and run.stdout == ""
