"""The floor: TLS to plain TCP without any knowledge of WebSockets. The source is bench/forwarder.cpp."""

from .peer import Peer


class Forwarder(Peer):
    name = "forwarder"
    about = "plain TLS forwarder, knows no WebSocket: the floor"

    def program(self):
        program = self.bench.program("forwarder")
        return program if program.exists() else None

    def command(self, config):
        return [self.program(), self.backend_port, f"{self.ports['tls']},{self.folder}/ecdsa.crt,{self.folder}/ecdsa.key",
                f"{self.ports['rsa']},{self.folder}/rsa.crt,{self.folder}/rsa.key", self.ports["plain"]]
