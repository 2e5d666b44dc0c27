"""Certificates and keys in files: read with clear errors, and watched, so that new ones are served without restart."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from webhook.errors import InputError

_Signature: TypeAlias = "tuple[tuple[int, int, int] | None, ...]"


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """The files that a listener needs."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    """If set, clients must show a certificate of one of these CAs."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Read a PEM file of one or more certificates. Raises InputError."""
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise InputError(
            "holds no PEM certificate", where=str(path), hint="it must begin with -----BEGIN CERTIFICATE-----"
        ) from error


def load_key(path: Path) -> PrivateKeyTypes:
    """Read a PEM private key. Raises InputError, also for a key that needs a passphrase."""
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except TypeError as error:
        raise InputError(
            "the private key is encrypted", where=str(path), hint="store it without a passphrase, mode 0600"
        ) from error
    except ValueError as error:
        raise InputError("holds no PEM private key", where=str(path)) from error


def load_pair(certificate: Path, key: Path, now: datetime) -> tuple[x509.Certificate, PrivateKeyTypes]:
    """Read a certificate and its key, and check that they belong together and are valid now. Raises InputError."""
    leaf = load_certificates(certificate)[0]
    private = load_key(key)
    if leaf.public_key() != private.public_key():
        raise InputError(
            f"is not the certificate of the key {key}", where=str(certificate), hint="replace both files together"
        )
    check_dates(leaf, certificate, now)
    return leaf, private


def check_dates(certificate: x509.Certificate, path: Path, now: datetime) -> None:
    """Raise InputError if a certificate is not valid now."""
    if now > certificate.not_valid_after_utc:
        raise InputError(
            f"the certificate expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
            where=str(path),
            hint="renew it",
        )
    if now < certificate.not_valid_before_utc:
        raise InputError(
            f"the certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            where=str(path),
            hint="check this machine's clock",
        )


class ServingCertificate:
    """The TLS context to serve with, renewed when its files change.

    Owner: the server. Any thread may read ``context`` and call ``refresh``. A change that cannot be used leaves the
    last good context in place and shows as ``problem``; connections that exist are untouched.
    """

    def __init__(self, files: TLSFiles, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Load the files. Raises InputError if they cannot be used."""
        self.files = files
        self.problem: InputError | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._signature()
        self._context, self._leaf = self._load()

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        return self._context

    @property
    def expires(self) -> datetime:
        """When the certificate in use expires."""
        return self._leaf.not_valid_after_utc

    def refresh(self) -> bool:
        """Load the files again if they differ from what was last tried; True if a new context is in use."""
        with self._lock:
            signature = self._signature()
            if signature == self._seen:
                return False
            try:
                context, leaf = self._load()
            except InputError as error:
                # Two files are never replaced in one instant: what does not fit together now may do so at the next
                # look, and then the signature differs again.
                self.problem = error
                self._seen = signature
                return False
            self._seen = signature
            self._context, self._leaf = context, leaf
            self.problem = None
            return True

    def _signature(self) -> _Signature:
        """What tells a changed file; also a Secret mount's, which swaps a symlink."""
        return tuple(_stat(path) for path in (self.files.certificate, self.files.key, self.files.client_ca) if path)

    def _load(self) -> tuple[ssl.SSLContext, x509.Certificate]:
        leaf, _ = load_pair(self.files.certificate, self.files.key, self._clock())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # AEAD ciphers with forward secrecy only; TLS 1.3 has no others.
        context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
        try:
            context.load_cert_chain(self.files.certificate, self.files.key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"cannot be served: {error}", where=str(self.files.certificate), hint="check the chain and its order"
            ) from error
        if self.files.client_ca is not None:
            load_certificates(self.files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.files.client_ca)
        return context, leaf


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
