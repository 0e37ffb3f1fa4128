"""An authority for clients, good and bad certificates of it, and its revocation lists."""

from __future__ import annotations

import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import secrets

DAY = 24 * 3600


def seconds_from_now(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


class Issued:
    """A certificate with its key, as files; `chain` stands behind it in the first."""

    def __init__(self, folder: pathlib.Path, stem: str, certificate: x509.Certificate, key, chain: list[x509.Certificate]):
        self.certificate, self.key = certificate, key
        self.file, self.key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
        self.file.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in [certificate, *chain]))
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        secrets.remember(f"private key {stem}", pem.decode().splitlines()[2])
        self.key_file.write_bytes(pem)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def thumbprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def context(self, authority: pathlib.Path, protocols: list[str] | None = None) -> ssl.SSLContext:
        """A client that presents it; whatever it is, the client's own library sees no harm in it."""
        tls = ssl.create_default_context(cafile=str(authority))
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        tls.load_cert_chain(self.file, self.key_file)
        if protocols:
            tls.set_alpn_protocols(protocols)
        return tls


class ClientAuthority:
    def __init__(self, folder: pathlib.Path, name: str, above: "ClientAuthority | None" = None, constraint: str | None = None):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.subject, self.key.public_key(), (above or self).subject, -DAY, 30 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        if constraint:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(constraint)], None), critical=True)
        self.certificate = builder.sign((above or self).key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.file = folder / f"{name}.pem"
        self.file.write_text(self.pem)
        self._numbers = iter(range(10000))

    @staticmethod
    def _builder(subject: x509.Name, key, issuer: x509.Name, start: float, end: float) -> x509.CertificateBuilder:
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(seconds_from_now(start)).not_valid_after(seconds_from_now(end)))

    def issue(self, common_name: str = "device-1", *, names: tuple[str, ...] = (), usage=ExtendedKeyUsageOID.CLIENT_AUTH, start: float = -3600,
              end: float = DAY, key=None, digest=None, self_signed: bool = False, chain: tuple["ClientAuthority", ...] = ()) -> Issued:
        """`names`: `spiffe://…`, `user@host`, an IP address or a host."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
        builder = self._builder(subject, key.public_key(), subject if self_signed else self.subject, start, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([self._name(name) for name in names]), critical=False)
        certificate = builder.sign(key if self_signed else self.key, digest or hashes.SHA256())
        return Issued(self.folder, f"{self.name}-{next(self._numbers)}", certificate, key, [one.certificate for one in chain])

    @staticmethod
    def _name(name: str) -> x509.GeneralName:
        if "://" in name:
            return x509.UniformResourceIdentifier(name)
        if "@" in name:
            return x509.RFC822Name(name)
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    def revoke(self, *revoked: Issued, end: float = DAY) -> str:
        """A revocation list in PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.subject)
        builder = builder.last_update(seconds_from_now(-60)).next_update(seconds_from_now(end))
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
                .revocation_date(seconds_from_now(-60)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def short_rsa():
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)
