"""Certificate authorities and certificates for SIP peers, good and bad."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A CA of the test's own; its files go into `directory`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._build(self._name, self._key, True, timedelta(days=1)).sign(
            self._key, hashes.SHA256()
        )
        self.file = str(self._write(f"{name}.ca.pem", certificate.public_bytes(serialization.Encoding.PEM)))

    def issue(
        self, *names: str, common: str = "peer", life: timedelta = timedelta(days=1)
    ) -> tuple[str, str]:
        """Certificate and key for those names (`sip:` URIs, addresses or DNS names); expired where
        `life` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._build(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]), key, False, life
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), False
            )
        certificate = builder.sign(self._key, hashes.SHA256())
        stem = f"{common}-{certificate.serial_number}"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return (
            str(self._write(f"{stem}.pem", certificate.public_bytes(serialization.Encoding.PEM))),
            str(self._write(f"{stem}.key", secret)),
        )

    def revoke(self, *certificates: str) -> str:
        """The file of what this CA has revoked: those certificates (files)."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, now, now + timedelta(days=1))
        for each in certificates:
            number = x509.load_pem_x509_certificate(Path(each).read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder(number, now).build()
            builder = builder.add_revoked_certificate(revoked)
        made = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return str(self._write("revoked.crl.pem", made))

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool, life: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(content)
        return path


def _general(name: str) -> x509.GeneralName:
    if name.startswith("sip:"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def server(own: tuple[str, str], demand: str = "") -> ssl.SSLContext:
    """A peer's listening side; `demand`: the CA of which it wants our certificate to be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    if demand:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(demand)
    return context


def client(ca: str, own: tuple[str, str] | None = None) -> ssl.SSLContext:
    """A peer's calling side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ca)
    if own:
        context.load_cert_chain(*own)
    return context
