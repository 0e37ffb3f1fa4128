"""Bar charts as SVG, drawn from latest.json: `bench/plot.py [FOLDER]` draws them again."""

import json
import pathlib
import statistics
import sys
from xml.sax.saxutils import escape

from targets import ratio

COLOURS = {"nginx": "#7a8c99", "nginx-64k": "#a9b7c0", "haproxy": "#5b7fa6", "caddy": "#7fa65b", "envoy": "#a65b9c", "node": "#c9a227",
           "forwarder": "#444444", "sallyport": "#d1495b", "sallyport-bare": "#e8a0a9"}
BAR, GAP, HEIGHT, TOP, LEFT, BOTTOM = 20, 28, 260, 56, 64, 64


def bars(title: str, groups: dict[str, dict[str, float]], unit: str, line: float | None = None) -> str:
    """A group of bars for each entry, a bar for each peer in it; `line` is drawn across at its value."""
    peers = [peer for peer in COLOURS if any(peer in group for group in groups.values())]
    most = max((value for group in groups.values() for value in group.values()), default=1) or 1
    # One that towers above the rest is cut, with its number beside, so that the rest can be told apart.
    ordered = sorted((value for group in groups.values() for value in group.values()), reverse=True)
    top = min(most, 2.5 * ordered[len(ordered) // 4]) * 1.08 if ordered else 1
    width = LEFT + 20 + sum(BAR * len(group) + GAP for group in groups.values())
    width = max(width, LEFT + 20 + 118 * min(len(peers), 5))
    legend_rows = (len(peers) + 4) // 5
    height = TOP + HEIGHT + BOTTOM + 20 * legend_rows
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
           f'<text x="12" y="22" font-size="15" fill="#222222">{escape(title)}</text>',
           f'<text x="12" y="40" fill="#666666">{escape(unit)}</text>']

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - min(value, top) / top)

    step = 10 ** len(str(int(top))) / 10
    while top / step < 4:
        step /= 2
    marks = [step * i for i in range(int(top / step) + 1)]
    for mark in marks:
        out.append(f'<line x1="{LEFT}" x2="{width - 12}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#e4e4e4"/>'
                   f'<text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end" fill="#666666">{mark:g}</text>')
    x = LEFT + GAP / 2
    for name, group in groups.items():
        begin = x
        for peer in peers:
            if peer not in group:
                continue
            value = group[peer]
            out.append(f'<rect x="{x + 1:.1f}" y="{y(value):.1f}" width="{BAR - 2}" height="{TOP + HEIGHT - y(value):.1f}" fill="{COLOURS[peer]}">'
                       f'<title>{escape(f"{peer}, {name}: {value:.2f}")}</title></rect>')
            digits = f"{value:.2f}" if value < 10 else f"{value:.0f}"
            out.append(f'<text x="{x + BAR / 2:.1f}" y="{y(value) - 3:.1f}" text-anchor="middle" font-size="8" fill="#333333">{digits}</text>')
            x += BAR
        out.append(f'<text x="{(begin + x) / 2:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle" fill="#222222">{escape(name)}</text>')
        x += GAP
    if line is not None:
        out.append(f'<line x1="{LEFT}" x2="{width - 12}" y1="{y(line):.1f}" y2="{y(line):.1f}" stroke="#222222" stroke-dasharray="4 3"/>')
    for number, peer in enumerate(peers):
        at, row = LEFT + 118 * (number % 5), TOP + HEIGHT + 36 + 20 * (number // 5)
        out.append(f'<rect x="{at}" y="{row}" width="11" height="11" fill="{COLOURS[peer]}"/>'
                   f'<text x="{at + 16}" y="{row + 10}" fill="#222222">{escape(peer)}</text>')
    return "\n".join([*out, "</svg>", ""])


def median_of(figures: dict, name: str) -> dict[str, float]:
    return {peer: statistics.median(series[name]) for peer, series in figures.items() if series.get(name)}


def charts(report: dict) -> dict[str, str]:
    results, found = report["results"], {}
    messages = results.get("messages", {}) | results.get("many", {})
    alone = {cell: figures for cell, figures in messages.items() if "in flight" not in cell}
    for name, title, cells in (("messages", "CPU per echoed message, one in flight", alone),
                               ("in-flight", "CPU per echoed message, 16 in flight", {cell: messages[cell] for cell in messages if cell not in alone})):
        groups = {cell.removesuffix(", 16 in flight"): {peer: value for peer in figures if (value := ratio(figures, peer, "nginx")) is not None}
                  for cell, figures in cells.items()}
        groups = {cell: group for cell, group in groups.items() if group}
        if groups:
            found[name] = bars(title, groups, "ratio to nginx in the same round; lower is better", 1)
    latency = results.get("latency", {})
    if latency.get("peers"):
        groups = {title: {peer: us / 1000 for peer, us in median_of(latency["peers"], name).items()} for name, title in (("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9"))}
        found["latency"] = bars(f"latency at {latency['rate']:.0f} messages a second", groups, "ms from the time a message was due; lower is better")
    handshakes = {kind: median_of(figures, "cpu_us_each") for kind, figures in results.get("handshakes", {}).items() if figures}
    if handshakes:
        found["handshakes"] = bars("CPU per connection", handshakes, "µs: handshake, upgrade, close; Sallyport and Node verify a fresh ES256 token")
    memory = results.get("memory", {})
    if memory.get("wss"):
        groups = {kind: {peer: held / 1024 for peer, held in memory[kind].items()} for kind in ("wss", "ws")}
        found["memory"] = bars(f"memory of an idle connection, {memory['connections']} open", groups, "KiB of resident memory; lower is better")
    return found


def draw(report: dict, folder: pathlib.Path) -> list[str]:
    """Writes the charts that the report has figures for; their names."""
    names = []
    for name, text in charts(report).items():
        (folder / f"{name}.svg").write_text(text)
        names.append(f"{name}.svg")
    return names


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "results")
    print("\n".join(draw(json.loads((where / "latest.json").read_text()), where)))
