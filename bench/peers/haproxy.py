"""HAProxy as Debian has it."""

from .peer import Peer, said


class Haproxy(Peer):
    name = "haproxy"
    about = "inspects nothing"
    config = """\
global
  nbthread 1
  maxconn @CONNECTIONS@
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-curves X25519:P-256
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend front
  bind 127.0.0.1:@TLS@ ssl crt @FOLDER@/ecdsa.pem backlog 4096
  bind 127.0.0.1:@RSA@ ssl crt @FOLDER@/rsa.pem backlog 4096
  bind 127.0.0.1:@PLAIN@ backlog 4096
  default_backend echo
backend echo
  server echo 127.0.0.1:@BACKEND@
"""

    def command(self, config):
        return [self.program(), "-db", "-f", config]

    def version(self):
        return said([self.program(), "-v"]).split(" - ")[0]
