"""What the scenarios are played with: a gateway process, clients and backends that can misbehave byte by byte, and the words of the
YAML files. Nothing here knows how the gateway is made; it is met only on its sockets, its output and its exit status."""
