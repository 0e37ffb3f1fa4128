"""What does a second loop bring? One loop and two, each with two CPUs to run on. With four CPUs or more the load has its own and
the throughput is measured; with fewer it shares them, and what counts is two times the CPU per message of one loop over that of two."""

import machine
from loadgen import Failed, Load, Series

NAME, TITLE = "loops", "two loops against one"
SIZE = 512


def estimate(bench) -> float:
    return 4 + 2 * bench.options.rounds * bench.sample_seconds if bench.chosen(("sallyport",)) else 0


def ask(bench) -> dict:
    apart = len(machine.CPUS) >= 4
    server = set(machine.CPUS[:2])
    rest = set(machine.CPUS[2:]) if apart else set(machine.CPUS)
    series, gateways, loads = Series(bench), [], {}
    try:
        for loops in (1, 2):
            for gateway in bench.chosen(("sallyport",)):
                gateway.name, gateway.config_name, gateway.loops = f"{loops} loops", f"sallyport-{loops}.yaml", loops
                gateways.append(gateway)
                gateway.start(server)
                loads[gateway] = Load(bench, gateway, cpus=rest)
                loads[gateway].ask("open", bench.options.connections)
        for turn in range(bench.options.rounds):
            for gateway in gateways if turn % 2 == 0 else reversed(gateways):
                series.take(gateway, lambda gateway=gateway: loads[gateway].sample(
                    "messages", SIZE, 1, bench.options.warmup, bench.options.seconds))
            bench.progress(f"round {turn + 1}", (turn + 1) / bench.options.rounds)
    except Failed as failure:
        bench.complain(str(failure))
    finally:
        for load in loads.values():
            load.__exit__()
        for gateway in gateways:
            gateway.stop()
    return {"measured": "throughput" if apart else "CPU per message", "samples": series.result()}
