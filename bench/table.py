"""The figures for the terminal, with the targets beneath."""

import statistics

from targets import ratio

WIDTH = 15


def median(values) -> float:
    return statistics.median(values)


class Table:
    def __init__(self, peers: list[str]):
        self.peers = peers
        self.lines = ["", " " * 34 + "".join(f"{peer:>{WIDTH}}" for peer in peers)]

    def head(self, text: str) -> None:
        self.lines += ["", text]

    def row(self, title: str, cells: dict[str, str]) -> None:
        if cells:
            self.lines.append(f"  {title:32}" + "".join(f"{cells.get(peer, '-'):>{WIDTH}}" for peer in self.peers))

    def cpu(self, title: str, figures: dict) -> None:
        """CPU per piece, and in brackets the ratio to nginx in the same rounds."""
        cells = {}
        for peer, series in figures.items():
            cells[peer] = f"{median(series['cpu_us_each']):.1f}"
            beside = ratio(figures, peer, "nginx")
            if beside is not None and peer != "nginx":
                cells[peer] += f" ({beside:.2f})"
        self.row(title, cells)

    def each(self, title: str, figures: dict, name: str, form: str = "{:.0f}") -> None:
        self.row(title, {peer: form.format(median(series[name])) for peer, series in figures.items() if name in series})


def drawn(report: dict) -> str:
    results = report["results"]
    table = Table(list(report["peers"]))
    messages = results.get("messages", {}) | results.get("many", {})
    if messages:
        table.head("CPU µs per echoed message, TLS to the client, plain to the backend (ratio to nginx in the same round)")
    for cell, figures in messages.items():
        table.cpu(cell, figures)
        table.each("  messages a second", figures, "per_second")
        table.each("  busy share of its CPU", figures, "busy", "{:.2f}")
    latency = results.get("latency", {})
    if latency:
        table.head(f"latency in µs at {latency['rate']:.0f} messages a second, from the time a message was due")
        for name, title in (("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9")):
            table.each(title, latency["peers"], name)
        table.cpu("CPU µs per message at this rate", latency["peers"])
    handshakes = results.get("handshakes", {})
    if handshakes:
        table.head("CPU µs per connection: handshake, upgrade, close (sallyport and node: with an ES256 token never seen before)")
    for kind, figures in handshakes.items():
        table.cpu(kind, figures)
    memory = results.get("memory", {})
    if memory:
        table.head(f"KiB of resident memory per idle connection, {memory['connections']} connections")
        for kind in ("wss", "ws"):
            table.row(kind, {peer: f"{held / 1024:.1f}" for peer, held in memory[kind].items()})
    start = {peer: figures for peer, figures in results.get("start", {}).items() if figures["connected_ms"]}
    if start:
        table.head("start and size")
        table.each("ms to the first connection", start, "connected_ms", "{:.1f}")
        table.each("ms to the first echoed message", start, "echoed_ms", "{:.1f}")
        table.row("program, MiB", {peer: f"{figures['binary_bytes'] / 2**20:.1f}" for peer, figures in start.items()})
    lines = table.lines
    tokens = {name: series for name, series in results.get("tokens", {}).items() if series}
    if tokens:
        lines += ["", "sallyport, CPU µs per connection by token (difference to none)"]
        none = tokens.get("none")
        for name, series in tokens.items():
            more = f" ({median(series['cpu_us_each']) - median(none['cpu_us_each']):+.0f})" if none and name != "none" else ""
            lines.append(f"  {name:32}{median(series['cpu_us_each']):>10.1f}{more}")
    runs = results.get("revocation", {}).get("runs", [])
    if runs:
        lines += ["", f"one revocation of {results['revocation']['connections']} live wss connections, median of {len(runs)} runs"]
        for name, title in (("first_ms", "first close frame, ms"), ("median_ms", "half of them, ms"), ("last_ms", "last close frame, ms"),
                            ("answered_ms", "answer of the admin API, ms"), ("cpu_ms_told", "CPU until then, ms"), ("cpu_ms_gone", "CPU until all are gone, ms")):
            lines.append(f"  {title:32}{median([run[name] for run in runs]):>10.1f}")
        lines.append("  close codes: " + ", ".join(sorted({f"{code} ({count})" for run in runs for code, count in run["codes"].items()})))
    loops = results.get("loops", {})
    if loops.get("samples"):
        lines += ["", f"two loops against one; what counts here is the {loops['measured']}"]
        for name, series in loops["samples"].items():
            lines.append(f"  {name:32}{median(series['cpu_us_each']):>10.1f} µs per message, {median(series['per_second']):.0f} a second")
    lines += ["", f"{'target':78}{'value':>10}{'':4}{'wanted':>14}   "]
    for target in report["targets"]:
        value = "-" if target["value"] is None else f"{target['value']:.2f}"
        verdict = {True: "met", False: "MISSED", None: "not measured"}[target["met"]]
        wanted = f"{'>=' if target['bound'] == 'at least' else '<='} {target['target']:g}"
        if target["unit"] not in ("ratio", "count"):
            wanted += " " + target["unit"]
        lines.append(f"{target['name']:78}{value:>10}{'':4}{wanted:>14}   {verdict}")
    return "\n".join(lines) + "\n"
