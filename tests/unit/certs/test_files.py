"""Certificates in files: clear errors, and a change that is picked up or survived."""

import os
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from webhook.certs.authority import ensure
from webhook.certs.files import ServingCertificate, TLSFiles, load_certificates, load_key, load_pair
from webhook.errors import InputError

NOW = datetime.now(UTC)


@pytest.fixture(name="made")
def certificate_on_disk(tmp_path):
    return ensure(tmp_path / "made", ("localhost",), NOW)


def rewrite(path, content: bytes) -> None:
    """Replace a file as a Secret mount or cert-manager does, with a time stamp that is sure to differ."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    stamp = path.stat().st_mtime_ns + 1_000_000
    os.utime(new, ns=(stamp, stamp))
    new.replace(path)


def serving(made, **changes) -> ServingCertificate:
    return ServingCertificate(TLSFiles(made.certificate, made.key, **changes))


def test_a_pair_that_belongs_together_is_loaded(made):
    certificate, key = load_pair(made.certificate, made.key, NOW)
    assert certificate.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "cannot be read: No such file", id="missing"),
        pytest.param(b"", "holds no PEM certificate", id="empty"),
        pytest.param(b"\x00\xff garbage", "holds no PEM certificate", id="garbage"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no PEM", id="broken"),
    ],
)
def test_a_certificate_that_cannot_be_read_is_an_error_with_its_place(tmp_path, content, says):
    path = tmp_path / "tls.crt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_certificates(path)
    assert str(error.value).startswith(f"{path}: {says}")


def test_a_key_that_needs_a_passphrase_is_refused_instead_of_asked_for(tmp_path, made):
    key = load_key(made.key)
    path = tmp_path / "encrypted.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    with pytest.raises(InputError, match="the private key is encrypted"):
        load_key(path)


def test_a_certificate_where_the_key_should_be_is_refused(made):
    with pytest.raises(InputError, match="holds no PEM private key"):
        load_key(made.certificate)


def test_a_certificate_of_another_key_is_refused_by_name(tmp_path, made):
    other = ensure(tmp_path / "other", ("localhost",), NOW)
    with pytest.raises(InputError) as error:
        load_pair(made.certificate, other.key, NOW)
    assert str(made.certificate) in str(error.value)
    assert str(other.key) in str(error.value)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        pytest.param(NOW + timedelta(days=91), "the certificate expired at", id="expired"),
        pytest.param(NOW - timedelta(days=1), "the certificate is not valid before", id="not-yet-valid"),
    ],
)
def test_a_certificate_outside_its_dates_is_refused(made, at, says):
    with pytest.raises(InputError, match=says):
        load_pair(made.certificate, made.key, at)


def test_nothing_older_than_tls_1_2_is_spoken(made):
    context = serving(made).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    weak = [
        cipher["name"]
        for cipher in context.get_ciphers()
        if "GCM" not in cipher["name"] and "CHACHA20" not in cipher["name"]
    ]
    assert weak == []


def test_a_client_certificate_is_required_only_if_a_client_ca_is_given(made):
    assert serving(made).context.verify_mode is ssl.CERT_NONE
    assert serving(made, client_ca=made.ca_bundle).context.verify_mode is ssl.CERT_REQUIRED


def test_a_client_ca_that_is_no_certificate_is_an_error(tmp_path, made):
    path = tmp_path / "ca.crt"
    path.write_text("none")
    with pytest.raises(InputError, match="holds no PEM certificate"):
        serving(made, client_ca=path)


def test_files_that_did_not_change_are_not_loaded_again(made):
    certificate = serving(made)
    before = certificate.context
    assert not certificate.refresh()
    assert certificate.context is before


def test_a_new_certificate_gets_a_new_context_and_the_old_one_stays_usable(tmp_path, made):
    certificate = serving(made)
    before = certificate.context
    other = ensure(tmp_path / "other", ("localhost",), NOW + timedelta(minutes=1))
    rewrite(made.certificate, other.certificate.read_bytes())
    rewrite(made.key, other.key.read_bytes())
    assert certificate.refresh()
    assert certificate.context is not before
    assert certificate.expires > NOW + timedelta(days=90)
    assert certificate.problem is None


def test_a_half_replaced_pair_is_survived_and_taken_once_it_is_whole(tmp_path, made):
    certificate = serving(made)
    before = certificate.context
    other = ensure(tmp_path / "other", ("localhost",), NOW)
    rewrite(made.certificate, other.certificate.read_bytes())
    assert not certificate.refresh()
    assert certificate.context is before
    assert "is not the certificate of the key" in str(certificate.problem)
    rewrite(made.key, other.key.read_bytes())
    assert certificate.refresh()
    assert certificate.problem is None


def test_files_that_vanish_leave_the_last_good_certificate_in_use(made):
    certificate = serving(made)
    before = certificate.context
    made.certificate.unlink()
    assert not certificate.refresh()
    assert certificate.context is before
    assert "cannot be read" in str(certificate.problem)
