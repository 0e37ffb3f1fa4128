"""How long do live sockets outlive a revocation? One call to the admin API against many connections of one subject: from the
request to the arrival of each close frame, by the kernel's clock; and what it costs."""

import json

from loadgen import Failed, Load

NAME, TITLE = "revocation", "closing all by one revocation"


def estimate(bench) -> float:
    return runs(bench) * (6 + bench.options.idle * 0.0018)


def runs(bench) -> int:
    return min(3, bench.options.rounds)


def revoke(bench, gateway) -> dict:
    """On a gateway of its own: afterwards nothing is left that could be revoked again."""
    with gateway.start(), Load(bench, gateway) as load:
        body = json.dumps({"sub": "load"})
        head = "".join(f"{name}: {value}\r\n" for name, value in gateway.admin_headers().items())
        request = bench.folder / "revoke-request"
        request.write_text(f"POST /v1/revocations HTTP/1.1\r\nHost: 127.0.0.1:{gateway.ports['admin']}\r\n{head}"
                           f"Content-Length: {len(body)}\r\n\r\n{body}")
        load.ask("open", bench.options.idle)
        return load.ask("revoke", gateway.ports["admin"], request, *gateway.pids())


def ask(bench) -> dict:
    gateway = bench.chosen(("sallyport",))
    if not gateway:
        return {}
    found = []
    for turn in range(runs(bench)):
        try:
            found.append(revoke(bench, gateway[0]))
        except Failed as failure:
            bench.complain(str(failure))
            break
        bench.progress(f"run {turn + 1}", (turn + 1) / runs(bench))
    return {"connections": bench.options.idle, "runs": found}
