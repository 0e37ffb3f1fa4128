"""What was promised, and whether it holds. A target that was not measured in this run has neither value nor verdict."""

import statistics


def ratio(figures: dict, ours: str, theirs: str, name: str = "cpu_us_each") -> float | None:
    """Median of the ratios within a round: the machine's speed drifts, and both drift with it."""
    if ours not in figures or theirs not in figures:
        return None
    pairs = list(zip(figures[ours][name], figures[theirs][name]))
    if not pairs or any(other == 0 for _, other in pairs):
        return None
    return statistics.median(mine / other for mine, other in pairs)


def median(values) -> float | None:
    return statistics.median(values) if values else None


def two_loops(loops: dict) -> float | None:
    samples = loops.get("samples", {})
    if loops.get("measured") == "throughput":
        return ratio(samples, "2 loops", "1 loops", "per_second")
    cheaper = ratio(samples, "1 loops", "2 loops")
    return 2 * cheaper if cheaper else None


def judge(results: dict) -> list[dict]:
    found = []

    def target(name: str, value: float | None, limit: float, *, stretch: float | None = None, unit: str = "ratio", least: bool = False,
               note: str = "") -> None:
        row = {"name": name, "value": None if value is None else round(value, 3), "target": limit,
               "met": None if value is None else (value >= limit if least else value <= limit), "bound": "at least" if least else "at most", "unit": unit}
        if stretch is not None:
            row["stretch"] = stretch
        if note:
            row["note"] = note
        found.append(row)

    def against(cell: str, limits: dict, what: str, stretch: dict | None = None) -> None:
        figures = results.get("messages", {}).get(cell, {})
        for peer, limit in limits.items():
            target(f"{what} / {peer}", ratio(figures, "sallyport", peer), limit, stretch=(stretch or {}).get(peer))

    against("512 B", {"nginx": 0.85, "haproxy": 0.85, "envoy": 0.6, "node": 0.4}, "CPU per 512 B message", {"nginx": 0.75})
    against("512 B, 16 in flight", {"nginx": 0.6}, "CPU per 512 B message, 16 in flight", {"nginx": 0.4})
    for size, name in ((4096, "4 KiB"), (65536, "64 KiB")):
        against(f"{size} B", {"nginx": 0.6, "nginx-64k": 1.0}, f"CPU per {name} message", {"nginx-64k": 0.85})
    against("512 B", {"forwarder": 1.15}, "CPU per 512 B message", {"forwarder": 1.05})
    for size, name, limit in ((512, "512 B", 1.06), (65536, "64 KiB", 1.10)):
        figures = results.get("messages", {}).get(f"{size} B", {})
        target(f"CPU per {name} message, inspection on / off", ratio(figures, "sallyport", "sallyport-bare"), limit)
    structured = results.get("messages", {}).get("65536 B of records", {})
    target("CPU per 64 KiB message of small records, inspection on / off", ratio(structured, "sallyport", "sallyport-bare"), 1.10)
    full = results.get("handshakes", {}).get("full, ECDSA", {})
    target("CPU per full handshake with a fresh ES256 token / nginx without any", ratio(full, "sallyport", "nginx"), 1.0, stretch=0.9)
    latency = results.get("latency", {}).get("peers", {})
    for name in ("p50", "p99"):
        target(f"{name} latency at half of nginx's maximum rate / nginx", ratio(latency, "sallyport", "nginx", f"{name}_us"), 1.0)
    held = results.get("memory", {}).get("wss", {}).get("sallyport")
    target("memory per idle wss connection", held / 1024 if held else None, 15, stretch=10, unit="KiB")
    target("allocations per relayed message in steady state", results.get("allocations", {}).get("per_message"), 0, unit="count",
           note="counted by gateway/relay_test.cpp: whole, inspected and compressed messages")
    runs = results.get("revocation", {}).get("runs", [])
    closed = results.get("revocation", {}).get("connections", 0)
    target("closing live wss connections by one revocation, until the last close frame", median([run["last_ms"] for run in runs]), 500, stretch=200,
           unit="ms", note=f"{closed} connections" if closed else "")
    loops = results.get("loops", {})
    target("throughput of two loops / one", two_loops(loops), 1.8, least=True, note="from " + loops["measured"] if loops else "")
    return found
