"""The servers under test, in the order of the table."""

from .caddy import Caddy
from .envoy import Envoy
from .forwarder import Forwarder
from .haproxy import Haproxy
from .nginx import Nginx, Nginx64k
from .node import Node
from .sallyport import Sallyport, SallyportBare

PEERS = (Nginx, Nginx64k, Haproxy, Caddy, Envoy, Node, Forwarder, Sallyport, SallyportBare)
