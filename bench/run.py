#!/usr/bin/env python3
"""What does Sallyport cost beside the reverse proxies people know? Method and how to read it: bench/README.md.

Starts nginx, HAProxy and Sallyport in front of one echo backend, puts the same load on each in turn, prints a table and writes
the figures to bench/results/latest.json. Exit status: 0, 1 when a target is missed or the run failed, 2 usage.
"""

import argparse
import base64
import json
import os
import pathlib
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
HOST = "bench.example.com"
ORIGIN = "https://app.example.com"
ISSUER = "https://id.example.com"
TICK = os.sysconf("SC_CLK_TCK")

PROXY_CPU, LOAD_CPU = 0, 1
# Foreign load above which a sample is taken again, in cores.
QUIET = 0.2


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(cpu):
    """What a child runs before its program: its CPU, where there are enough of them, and all the descriptors it may have."""
    def prepare():
        if cpu in os.sched_getaffinity(0) and len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, {cpu})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return prepare


def tree(pid):
    """`pid` and all below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                found += map(int, pathlib.Path(f"/proc/{parent}/task/{task}/children").read_text().split())
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e9


def rss_bytes(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                total += int(line.split()[1]) * 1024
    return total


def busy_seconds():
    """CPU time that anybody used, and that the host took away."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


# ---- keys, certificate, token ------------------------------------------------------------------------------------------------


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_credentials(folder):
    """cert.pem, key.pem, both.pem for TLS; keys.jwks and token for the JWT; admin for Sallyport's own port."""
    for name in ("key.pem", "issuer.pem"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(folder / name))
    openssl("req", "-x509", "-new", "-key", str(folder / "key.pem"), "-days", "30", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
            "-out", str(folder / "cert.pem"))
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    point = openssl("ec", "-in", str(folder / "issuer.pem"), "-pubout", "-outform", "DER")[-64:]
    key = {"kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:]), "kid": "bench", "use": "sig", "alg": "ES256"}
    (folder / "keys.jwks").write_text(json.dumps({"keys": [key]}))

    now = int(time.time())
    header = {"alg": "ES256", "typ": "JWT", "kid": "bench"}
    claims = {"iss": ISSUER, "sub": "load", "aud": "bench", "iat": now, "exp": now + 3600, "jti": "bench-1", "scope": "chat.read chat.write"}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    der = openssl("dgst", "-sha256", "-sign", str(folder / "issuer.pem"), data=signed.encode())
    # SEQUENCE { INTEGER r, INTEGER s }, both short enough for one-byte lengths.
    r_end = 4 + der[3]
    numbers = der[4:r_end], der[r_end + 2:]
    signature = b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in numbers)
    (folder / "token").write_text(signed + "." + base64url(signature) + "\n")
    (folder / "admin").write_text(base64url(os.urandom(32)) + "\n")
    for name in ("key.pem", "both.pem", "issuer.pem", "token", "admin"):
        (folder / name).chmod(0o600)


# ---- the proxies -------------------------------------------------------------------------------------------------------------

NGINX = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    server_name {host};
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1;
    location / {{
      proxy_pass http://127.0.0.1:{backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header Host $host;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 1
  maxconn 9500
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-curves X25519:P-256
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem backlog 4096
  default_backend echo
backend echo
  server echo 127.0.0.1:{backend}
"""

SALLYPORT = """\
listen:
  - address: 127.0.0.1:{port}
    tls: {{ certificate: cert.pem, key: key.pem }}
admin: {{ address: "127.0.0.1:{admin}", token_file: admin }}
store: {{ sqlite: {{ path: sallyport.db }} }}
threads: 1
issuers:
  - name: main
    issuer: {issuer}
    audience: [bench]
    algorithms: [ES256]
    keys: {{ jwks_file: keys.jwks }}
routes:
  - name: echo
    match: {{ host: {host}, path: /ws }}
    upstream: {{ url: "ws://127.0.0.1:{backend}/ws" }}
    origins: ["{origin}"]
    authenticate: [{{ jwt: {{ issuer: main, from: [header] }} }}]
    limits:
      message_size: 1MiB
      backend_message_size: 1MiB
      messages: 1000000/s
      connections_per_identity: 100000
      connections_per_ip: 100000
limits: {{ pending: 5000, handshakes_per_ip: 100000/s }}
"""


class Proxy:
    """A running server under test."""

    def __init__(self, name, command, config, suffix, folder, backend):
        self.name = name
        self.command = command
        self.config = config
        self.suffix = suffix
        self.folder = folder
        self.backend = backend
        self.process = None
        self.port = 0

    def start(self):
        self.port = free_port()
        path = self.folder / f"{self.name}.{self.suffix}"
        path.write_text(self.config.format(folder=self.folder, port=self.port, admin=free_port(), backend=self.backend, host=HOST, origin=ORIGIN,
                                           issuer=ISSUER))
        with open(self.folder / f"{self.name}.out", "wb") as output:
            self.process = subprocess.Popen([*self.command, str(path)], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            cwd=self.folder, preexec_fn=pinned(PROXY_CPU))
        deadline = time.monotonic() + 20
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start:\n" + (self.folder / f"{self.name}.out").read_text())
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def pids(self):
        return tree(self.process.pid)


# ---- measuring ---------------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, options, folder, echo):
        self.options = options
        self.folder = folder
        self.echo = echo

    def load_command(self, proxy, mode, *arguments):
        command = [str(self.options.programs / "bench_load"), mode, "--port", str(proxy.port), "--host", HOST, "--origin", ORIGIN, "--path", "/ws",
                   "--token-file", str(self.folder / "token"), *map(str, arguments)]
        for pid in proxy.pids():
            command += ["--watch", str(pid)]
        return command

    def sample(self, proxy, mode, *arguments):
        """One figure, taken again while others used the machine; the least disturbed one counts."""
        best = None
        for _ in range(1 + self.options.retries):
            ours = [*proxy.pids(), *tree(self.echo.pid)]
            before = busy_seconds() - cpu_seconds(ours) - sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            begin = time.monotonic()
            run = subprocess.run(self.load_command(proxy, mode, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=pinned(LOAD_CPU))
            if run.returncode != 0:
                raise SystemExit(f"{proxy.name}: the load generator failed; its own word is above, logs are in {self.folder}")
            after = busy_seconds() - cpu_seconds(ours) - sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            figure = json.loads(run.stdout)
            figure["foreign_cores"] = round(max(0.0, after - before) / (time.monotonic() - begin), 2)
            if best is None or figure["foreign_cores"] < best["foreign_cores"]:
                best = figure
            if best["foreign_cores"] <= QUIET:
                break
        return best

    def idle_bytes(self, proxy):
        """What each of many open connections adds to the resident memory of a proxy that has just started."""
        count = self.options.idle
        first = subprocess.run(self.load_command(proxy, "idle", "--connections", 1), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if first.returncode != 0:
            raise SystemExit(f"{proxy.name}: does not echo; logs are in {self.folder}")
        before = rss_bytes(proxy.pids())
        holder = subprocess.Popen(self.load_command(proxy, "idle", "--connections", count), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  preexec_fn=pinned(LOAD_CPU))
        if not holder.stdout.readline():
            raise SystemExit(f"{proxy.name}: could not hold {count} connections; logs are in {self.folder}")
        time.sleep(1)
        after = rss_bytes(proxy.pids())
        holder.stdin.close()
        holder.wait()
        return (after - before) / count


def median(values):
    return statistics.median(values)


def measure(bench, proxies, options):
    names = [proxy.name for proxy in proxies]
    results = {name: {"messages": {}, "handshakes": {}} for name in names}

    say(f"memory of {options.idle} idle connections, each proxy freshly started")
    for proxy in proxies:
        proxy.start()
        results[proxy.name]["idle_bytes_per_connection"] = round(bench.idle_bytes(proxy))
        say(f"  {proxy.name:10} {results[proxy.name]['idle_bytes_per_connection'] / 1024:8.1f} KiB")
        proxy.stop()

    samples = {}
    for proxy in proxies:
        proxy.start()
    for turn in range(options.rounds):
        order = proxies[turn % len(proxies):] + proxies[:turn % len(proxies)]
        for size in options.sizes:
            for proxy in order:
                figure = bench.sample(proxy, "messages", "--size", size, "--connections", options.connections, "--seconds", options.seconds)
                samples.setdefault(("messages", size, proxy.name), []).append(figure)
        for proxy in order:
            figure = bench.sample(proxy, "handshakes", "--seconds", options.seconds)
            samples.setdefault(("handshakes", 0, proxy.name), []).append(figure)
        line = "  ".join(f"{name} {samples[('messages', options.sizes[0], name)][-1]['cpu_us_each']:.1f}" for name in names)
        say(f"round {turn + 1} of {options.rounds}: CPU µs per {options.sizes[0]} B message: {line}")
    for proxy in proxies:
        proxy.stop()

    for (kind, size, name), figures in samples.items():
        entry = {
            "cpu_us": round(median(figure["cpu_us_each"] for figure in figures), 2),
            "per_second": round(median(figure["per_second"] for figure in figures)),
            "foreign_cores": round(median(figure["foreign_cores"] for figure in figures), 2),
            "samples": figures,
        }
        if kind == "messages":
            entry["p50_us"] = round(median(figure["p50_us"] for figure in figures), 1)
        if "nginx" in names:
            # Ratios within a round: the machine's speed drifts, and the two drift together.
            pairs = zip(figures, samples[(kind, size, "nginx")])
            entry["ratio_to_nginx"] = round(median(mine["cpu_us_each"] / theirs["cpu_us_each"] for mine, theirs in pairs), 3)
        if kind == "messages":
            results[name]["messages"][str(size)] = entry
        else:
            results[name]["handshakes"] = entry
    return results


def targets(results):
    if "nginx" not in results or "sallyport" not in results:
        return []
    found = []

    def add(name, value, target):
        found.append({"name": name, "value": round(value, 3), "target": target, "met": value <= target})

    ours, nginx = results["sallyport"], results["nginx"]
    if "512" in ours["messages"]:
        add("CPU per 512 B message, ratio to nginx", ours["messages"]["512"]["ratio_to_nginx"], 1.5)
    add("memory per idle wss connection, ratio to nginx", ours["idle_bytes_per_connection"] / nginx["idle_bytes_per_connection"], 1.0)
    return found


def print_table(results, sizes):
    names = list(results)
    say("")
    say(f"{'':36}" + "".join(f"{name:>20}" for name in names))

    def line(title, cells):
        say(f"{title:36}" + "".join(f"{cell:>20}" for cell in cells))

    def with_ratio(entry):
        ratio = f" ({entry['ratio_to_nginx']:.2f})" if "ratio_to_nginx" in entry else ""
        return f"{entry['cpu_us']:.1f}{ratio}"

    for size in sizes:
        line(f"CPU µs per message of {size} B", [with_ratio(results[name]["messages"][str(size)]) for name in names])
        line("  messages per second", [str(results[name]["messages"][str(size)]["per_second"]) for name in names])
    line("CPU µs per TLS handshake + upgrade", [with_ratio(results[name]["handshakes"]) for name in names])
    line("KiB per idle wss connection", [f"{results[name]['idle_bytes_per_connection'] / 1024:.1f}" for name in names])
    say("(in brackets: median of the ratios to nginx within a round)")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release", help="folder of bench_load and bench_echo")
    parser.add_argument("--sallyport", type=pathlib.Path, default=ROOT / "build/release/sallyport", help="the gateway; left out when absent")
    parser.add_argument("--only", default="nginx,haproxy,sallyport", help="which proxies, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="length of one sample")
    parser.add_argument("--retries", type=int, default=2, help="how often a disturbed sample is taken again")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--idle", type=int, default=3000, help="connections of the memory measurement")
    parser.add_argument("--sizes", default="512,64,4096,65536", help="message sizes in bytes, with commas")
    parser.add_argument("--output", type=pathlib.Path, default=BENCH / "results/latest.json")
    options = parser.parse_args()
    options.programs, options.sallyport = options.programs.resolve(), options.sallyport.resolve()
    options.sizes = [int(size) for size in options.sizes.split(",")]
    return options


def main():
    options = parse_arguments()
    folder = options.programs / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    make_credentials(folder)

    echo = subprocess.Popen([str(options.programs / "bench_echo")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(LOAD_CPU))
    backend = int(echo.stdout.readline())
    possible = {
        "nginx": (["nginx", "-p", str(folder), "-e", str(folder / "nginx.log"), "-c"], NGINX, "conf"),
        "haproxy": (["haproxy", "-db", "-f"], HAPROXY, "cfg"),
        "sallyport": ([str(options.sallyport), "serve", "--config"], SALLYPORT, "yaml"),
    }
    proxies = []
    for name in options.only.split(","):
        command, config, suffix = possible[name]
        environment_path = os.environ.get("PATH", "") + ":/usr/sbin"
        program = shutil.which(command[0], path=environment_path)
        if program is None:
            say(f"{name}: {command[0]} is not there, left out")
            continue
        proxies.append(Proxy(name, [program, *command[1:]], config, suffix, folder, backend))

    try:
        results = measure(Bench(options, folder, echo), proxies, options)
    finally:
        for proxy in proxies:
            proxy.stop()
        echo.stdin.close()
        echo.wait()

    print_table(results, options.sizes)
    found = targets(results)
    for target in found:
        say(f"{'met ' if target['met'] else 'MISSED'} {target['name']}: {target['value']} (at most {target['target']})")
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    report = {
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release().split("-")[0]},
        "load": {"connections": options.connections, "in_flight": 1, "rounds": options.rounds, "seconds": options.seconds, "idle": options.idle},
        "targets": found,
        "results": results,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n")
    say(f"written to {options.output}")
    return 0 if all(target["met"] for target in found) else 1


if __name__ == "__main__":
    sys.exit(main())
