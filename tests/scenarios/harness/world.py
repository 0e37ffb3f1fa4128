"""What outlives a scenario: certificates, the backend, the key source, and gateways, one for each configuration that was asked for."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pathlib
import shutil
import ssl

import yaml

from . import tokens
from .backend import Backend
from .certificates import Authority, server_context
from .client import Client
from .gateway import Gateway
from .key_source import KeySource

HERE = pathlib.Path(__file__).resolve().parents[1]
VECTORS = HERE.parent / "vectors"


def merge(base, change):
    """`change` laid over `base`: objects are merged, null removes a member, everything else replaces."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return copy.deepcopy(change)
    result = dict(base)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


class World:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.base = yaml.safe_load((HERE / "base.yaml").read_text())
        self.base["threads"] = int(os.environ.get("SALLYPORT_THREADS", self.base["threads"]))
        self.authority = Authority(folder, "house")
        self.stranger = Authority(folder, "stranger")
        self.certificate = self.authority.issue("gateway", "gw.example.test", "localhost")
        self.second_certificate = self.authority.issue("second", "gw.example.test", "localhost")
        self.other_certificate = self.authority.issue("other", "other.example.test")
        self.client_tls = ssl.create_default_context(cafile=str(self.authority.file))
        self.backend = Backend(folder)
        self.key_source = KeySource()
        self.gateways: dict[str, Gateway] = {}
        self._numbers = iter(range(10000))
        backend_tls = server_context(self.authority.issue("backend", "localhost"))
        stranger_tls = server_context(self.stranger.issue("stranger", "localhost"))
        self.run(self.backend.start(backend_tls, stranger_tls))
        self.run(self.key_source.start(backend_tls))

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    # gateways

    def config(self, change: dict | None) -> dict:
        """A whole configuration, as the gateway reads it."""
        config = merge(self.base, change or {})
        for kind in ("issuers", "routes"):
            config[kind] = [{"name": name, **value} for name, value in config[kind].items()]
        text = json.dumps(config)
        for door, url in {**self.backend.urls, "key_set_url": self.key_source.url}.items():
            text = text.replace(f'"${door}"', json.dumps(url)).replace(f"${{{door}_url}}", url)
        return json.loads(text)

    async def fresh_gateway(self, change: dict | None = None, *, start: bool = True) -> Gateway:
        """A gateway in a new folder, which belongs to the caller."""
        folder = self.folder / f"gw{next(self._numbers)}"
        folder.mkdir()
        shutil.copy(self.certificate[0], folder / "gateway.pem")
        shutil.copy(self.certificate[1], folder / "gateway.key")
        shutil.copy(self.other_certificate[0], folder / "other.pem")
        shutil.copy(self.other_certificate[1], folder / "other.key")
        shutil.copy(self.authority.file, folder / "ca.pem")
        (folder / "keys.jwks").write_text(tokens.key_set(*tokens.PUBLISHED))
        admin_token = os.urandom(24).hex()
        for name, content in (("hmac.secret", tokens.KEYS["secret"].value.decode()), ("admin.token", admin_token)):
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
        gateway = Gateway(folder, self.config(change), admin_token)
        if start:
            try:
                await gateway.start()
            except AssertionError:
                if gateway.process and gateway.process.returncode is None:
                    gateway.process.kill()
                raise
        return gateway

    async def gateway(self, change: dict | None = None) -> Gateway:
        """A running gateway with this configuration, shared with whoever asks for the same."""
        name = json.dumps(change or {}, sort_keys=True)
        gateway = self.gateways.get(name)
        if gateway is None or gateway.process is None or gateway.process.returncode is not None:
            self.gateways[name] = gateway = await self.fresh_gateway(change)
        return gateway

    def tls_of(self, certificate: tuple | None) -> ssl.SSLContext:
        """A client's side of TLS, with its own certificate where it has one."""
        if certificate is None:
            return self.client_tls
        context = ssl.create_default_context(cafile=str(self.authority.file))
        context.load_cert_chain(*map(str, certificate))
        return context

    async def connect(self, gateway: Gateway, *, plain: bool = False, at: str | None = None, **how) -> Client:
        """To the listener `at` this address, or else to the usual one."""
        address = gateway.addresses[at or ("127.0.0.2" if plain else "127.0.0.1")]
        return await Client.connect(address, tls=None if plain else self.client_tls, **how)

    # the end

    def close(self) -> list[str]:
        """Stops all gateways; what was wrong with their end."""
        troubles = []
        for name, gateway in self.gateways.items():
            if gateway.process and gateway.process.returncode is None:
                try:
                    status = self.run(gateway.stop())
                    if status:
                        troubles.append(f"the gateway with {name} ended with {status}: {gateway.errors.decode(errors='replace')[-1000:]}")
                except AssertionError as trouble:
                    troubles.append(f"the gateway with {name}: {trouble}")
        return troubles
