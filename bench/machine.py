"""What the kernel knows: CPU time, memory, who runs where."""

import os
import pathlib
import platform
import resource
import socket

TICK = os.sysconf("SC_CLK_TCK")
CPUS = sorted(os.sched_getaffinity(0))
# The server under test has a CPU to itself; load and backend share one where there are only two.
SERVER_CPU = {CPUS[0]}
LOAD_CPU = {CPUS[1 % len(CPUS)]}
BACKEND_CPU = {CPUS[2]} if len(CPUS) > 2 else LOAD_CPU
# Enough for 10,000 connections through a proxy; some servers reserve memory for as many as they may have.
ENOUGH_DESCRIPTORS = 30000
HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
DESCRIPTORS = ENOUGH_DESCRIPTORS if HARD_LIMIT < 0 else min(HARD_LIMIT, ENOUGH_DESCRIPTORS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(cpus: set[int]):
    """What a child runs before its program: its CPUs, and all the descriptors it may have."""

    def prepare() -> None:
        if len(CPUS) > 1:
            os.sched_setaffinity(0, cpus)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    return prepare


def tree(pid: int) -> list[int]:
    """`pid` and all below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, pathlib.Path(f"/proc/{parent}/task/{task}/children").read_text().split())
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except FileNotFoundError:
                pass
    return total / 1e9


def rss_bytes(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def busy_seconds() -> float:
    """CPU time that anybody used, and that the host took away."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


def description() -> dict:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    return {"cpu": model, "cpus": len(CPUS), "kernel": platform.release().split("-")[0], "descriptors": DESCRIPTORS}
