"""A certificate authority of our own, for where the platform gives no serving certificate.

Makes a CA and, signed by it, a serving certificate, and keeps both in a folder. They are used again while they are
valid and fit the wanted names, and made anew in good time otherwise. The private keys stay in the folder (mode 0600).

Source: RFC 5280 for the extensions; the kube-apiserver verifies webhooks as Go does, by subject alternative names only.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook.certs.files import load_pair
from webhook.errors import InputError, UsageError

CA_LIFETIME = timedelta(days=365)
LEAF_LIFETIME = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)
"""A serving certificate is made anew when less than this is left; a CA when it would end before what it signs."""
BACKDATED = timedelta(hours=1)
"""Validity begins this long before now, for clients whose clock is behind."""

_LONGEST_DNS_NAME = 253

Key: TypeAlias = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and the key that signs."""

    certificate: x509.Certificate
    key: Key


@dataclass(frozen=True, slots=True)
class Files:
    """Where the CA and the serving certificate are kept; the names are those of a Kubernetes TLS Secret."""

    folder: Path

    @property
    def ca_bundle(self) -> Path:
        """What goes into a webhook configuration's ``caBundle``."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The CA's private key."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        """The serving certificate."""
        return self.folder / "tls.crt"

    @property
    def key(self) -> Path:
        """The serving certificate's private key."""
        return self.folder / "tls.key"


def subject_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Turn host names and IP addresses into subject alternative names. Raises UsageError for what is neither."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            labels = name.removeprefix("*.").split(".")
            plain = all(label and label.replace("-", "").isalnum() and label.isascii() for label in labels)
            if not plain or len(name) > _LONGEST_DNS_NAME:
                raise UsageError(
                    f"'{name}' is neither a DNS name nor an IP address", hint="it goes into the serving certificate"
                ) from None
            found.append(x509.DNSName(name.lower()))
    return found


def make_authority(now: datetime) -> Authority:
    """Make a new CA, valid for CA_LIFETIME."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"migguard CA {now:%Y-%m-%d}")])
    builder = (
        _builder(name, key, now, CA_LIFETIME)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue(authority: Authority, names: Sequence[str], now: datetime) -> tuple[x509.Certificate, Key]:
    """Make a serving certificate for these DNS names and IP addresses, valid for LEAF_LIFETIME."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "migguard")])
    issuer_key = authority.key.public_key()
    builder = (
        _builder(subject, key, now, LEAF_LIFETIME)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.SubjectAlternativeName(subject_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
    return builder.sign(authority.key, hashes.SHA256()), key


def ensure(folder: Path, names: Sequence[str], now: datetime) -> Files:
    """Return files in ``folder`` with a serving certificate for ``names`` that is valid well beyond ``now``.

    Safe when several processes do it at once. Raises InputError when the folder cannot be used.
    """
    files = Files(folder)
    with _locked(folder):
        authority = _kept_authority(files, now)
        if authority is None:
            authority = make_authority(now)
            _write(files.ca_key, _key_text(authority.key), 0o600)
            _write(files.ca_bundle, authority.certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        if not _fits(files, authority, names, now):
            certificate, key = issue(authority, names, now)
            _write(files.key, _key_text(key), 0o600)
            _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return files


def _builder(subject: x509.Name, key: Key, now: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _kept_authority(files: Files, now: datetime) -> Authority | None:
    """The CA in the folder, if it can still sign a serving certificate that ends before it does."""
    try:
        certificate, key = load_pair(files.ca_bundle, files.ca_key, now)
    except InputError:
        return None
    lasts = certificate.not_valid_after_utc >= now + LEAF_LIFETIME
    return Authority(certificate, key) if lasts and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _fits(files: Files, authority: Authority, names: Sequence[str], now: datetime) -> bool:
    """Whether the serving certificate in the folder is the authority's, lasts, and names exactly what is wanted."""
    try:
        certificate, _ = load_pair(files.certificate, files.key, now)
        certificate.verify_directly_issued_by(authority.certificate)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InputError, InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE and set(found) == set(subject_names(names))


def _key_text(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step: a reader sees the old or the new one, and a key is never readable by others."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and keep other processes out of it meanwhile."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(
            f"a certificate cannot be kept here: {error.strerror}",
            where=str(folder),
            hint="give --state-dir a folder that can be written, or --tls-cert and --tls-key",
        ) from error
