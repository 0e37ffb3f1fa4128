"""Sallyport in its real setting, and with what can be left out left out."""

import http.client
import json

from .peer import Peer, said

LISTEN = """\
listen:
  - address: 127.0.0.1:@TLS@
    tls: { certificate: ecdsa.crt, key: ecdsa.key }
  - address: 127.0.0.1:@RSA@
    tls: { certificate: rsa.crt, key: rsa.key }
  - address: 127.0.0.1:@PLAIN@
admin: { address: "127.0.0.1:@ADMIN@", token_file: admin }
threads: @LOOPS@
limits: { pending: 20000, pending_per_ip: 20000, handshakes_per_ip: 100000/s, lockout: { failures: 1000000, failures_per_ip: 1000000 } }
"""

# The limits count, and are so high that they do not act. Pings are the only thing that an idle connection would cost.
ROUTE = """\
  - name: @ROUTE@
    match: { host: @HOST@, path: /@ROUTE@ }
    upstream: { url: "ws://127.0.0.1:@BACKEND@/ws" }
    origins: ["@ORIGIN@"]
    authenticate: [@PROOF@]
    ping: { every: 1h, timeout: 1h }
    limits:
      message_size: 1MiB
      backend_message_size: 1MiB
      messages: 1000000/s
      connections_per_identity: 100000
      connections_per_ip: 100000
"""


def route(name: str, proof: str) -> str:
    return ROUTE.replace("@ROUTE@", name).replace("@PROOF@", proof)


class Sallyport(Peer):
    name = "sallyport"
    about = "JWT, Origin, UTF-8, limits, metrics, and two members of each message's JSON"
    config_name = "sallyport.yaml"
    config = LISTEN + """\
store: { sqlite: { path: @STORE@ } }
issuers:
  - name: main
    issuer: @ISSUER@
    audience: [bench]
    algorithms: [ES256, EdDSA, RS256]
    keys: { jwks_file: keys.jwks }
  - name: shared
    issuer: @ISSUER@
    audience: [bench]
    algorithms: [HS256]
    keys: { secret_file: sign-HS256 }
routes:
""" + route("ws", "{ jwt: { issuer: main, from: [header] } }") + """\
    messages: { protocol: json, operation: { verb: /type, resource: /room } }
""" + route("hs", "{ jwt: { issuer: shared, from: [header] } }") + route("opaque", "{ opaque: { from: [header] } }")

    def program(self):
        program = self.bench.options.sallyport
        return program if program.exists() else None

    def filled(self, text):
        return super().filled(text.replace("@STORE@", self.store().name))

    def store(self):
        return (self.folder / self.config_name).with_suffix(".db")

    def command(self, config):
        return [self.program(), "serve", "--config", config]

    def version(self):
        return said([self.program(), "--version"])

    def admin(self, method: str, path: str, body: dict) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=10)
        connection.request(method, path, json.dumps(body), self.admin_headers())
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"admin API: {answer.status} {text!r}")
        return json.loads(text)

    def admin_headers(self) -> dict:
        return {"Authorization": "Bearer " + (self.folder / "admin").read_text().strip(), "Content-Type": "application/json"}

    def prepare(self):
        # Nothing of an earlier gateway is remembered.
        for path in self.folder.glob(self.store().name + "*"):
            path.unlink()
        super().prepare()


class SallyportBare(Sallyport):
    name = "sallyport-bare"
    about = "Sallyport without token and JSON scan; Origin, UTF-8 and limits cannot be switched off and stay"
    config_name = "sallyport-bare.yaml"
    wants_token = False
    config = LISTEN + """\
store: { memory: {} }
acknowledge: [dangerous_anonymous]
routes:
""" + route("ws", "{ dangerous_anonymous: {} }")
