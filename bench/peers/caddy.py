"""Caddy as Debian has it, with one thread for its Go code."""

from .peer import Peer, said


class Caddy(Peer):
    name = "caddy"
    about = "GOMAXPROCS=1, inspects nothing"
    config_name = "Caddyfile"
    config = """\
{
  admin off
  auto_https off
  storage file_system @FOLDER@/caddy
  log {
    level ERROR
  }
}
https://@HOST@:@TLS@ {
  bind 127.0.0.1
  tls @FOLDER@/ecdsa.crt @FOLDER@/ecdsa.key
  reverse_proxy 127.0.0.1:@BACKEND@
}
https://@HOST@:@RSA@ {
  bind 127.0.0.1
  tls @FOLDER@/rsa.crt @FOLDER@/rsa.key
  reverse_proxy 127.0.0.1:@BACKEND@
}
http://@HOST@:@PLAIN@ {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:@BACKEND@
}
"""

    def __init__(self, bench):
        super().__init__(bench)
        # Its home is where it keeps the last configuration.
        self.environment = {"GOMAXPROCS": "1", "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def command(self, config):
        return [self.program(), "run", "--config", config, "--adapter", "caddyfile"]

    def version(self):
        return "caddy " + said([self.program(), "version"])
