"""Our own certificate authority: what it makes, when it makes it anew, and where it keeps it."""

import ipaddress
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from webhook.certs.authority import CA_LIFETIME, LEAF_LIFETIME, RENEW_BEFORE, ensure, issue, make_authority
from webhook.errors import InputError, UsageError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "migguard.migguard.svc")


def leaf_in(files) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes())


def authority_in(files) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.ca_bundle.read_bytes())


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(x509.DNSName("migguard.migguard.svc"), id="service-name"),
        pytest.param(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), id="ipv4"),
        pytest.param(x509.IPAddress(ipaddress.ip_address("::1")), id="ipv6"),
    ],
)
def test_a_client_that_trusts_the_ca_accepts_the_certificate_for_every_name(subject):
    authority = make_authority(NOW)
    leaf, _ = issue(authority, NAMES, NOW)
    store = verification.Store([authority.certificate])
    verifier = verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(subject)
    assert verifier.verify(leaf, []) == [leaf, authority.certificate]


def test_a_client_refuses_the_certificate_for_another_name():
    authority = make_authority(NOW)
    leaf, _ = issue(authority, NAMES, NOW)
    store = verification.Store([authority.certificate])
    verifier = verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("other.svc"))
    with pytest.raises(verification.VerificationError):
        verifier.verify(leaf, [])


def test_keys_are_p256_and_validity_is_backdated_for_slow_clocks():
    authority = make_authority(NOW)
    leaf, key = issue(authority, NAMES, NOW)
    assert isinstance(key.curve, ec.SECP256R1)
    assert isinstance(authority.key.curve, ec.SECP256R1)
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)
    assert leaf.not_valid_after_utc == NOW + LEAF_LIFETIME
    assert authority.certificate.not_valid_after_utc == NOW + CA_LIFETIME


@pytest.mark.parametrize("name", ["", "a b", "-..-", "https://host", "x" * 254, "ä.example", "*.*"])
def test_what_is_no_host_name_is_refused(name):
    with pytest.raises(UsageError, match="neither a DNS name nor an IP address"):
        issue(make_authority(NOW), [name], NOW)


def test_private_keys_are_readable_by_their_owner_only(tmp_path):
    files = ensure(tmp_path / "state", NAMES, NOW)
    for key in (files.key, files.ca_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_no_temporary_file_is_left(tmp_path):
    files = ensure(tmp_path, NAMES, NOW)
    assert {path.name for path in files.folder.iterdir()} == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def test_files_that_are_valid_and_fit_are_used_again(tmp_path):
    before = leaf_in(ensure(tmp_path, NAMES, NOW))
    after = leaf_in(ensure(tmp_path, tuple(reversed(NAMES)), NOW + timedelta(days=1)))
    assert after == before


def test_other_names_get_another_certificate_of_the_same_ca(tmp_path):
    files = ensure(tmp_path, NAMES, NOW)
    leaf, authority = leaf_in(files), authority_in(files)
    ensure(tmp_path, (*NAMES, "more.example"), NOW)
    assert leaf_in(files) != leaf
    assert authority_in(files) == authority


def test_a_certificate_is_renewed_in_good_time_and_not_before(tmp_path):
    files = ensure(tmp_path, NAMES, NOW)
    first = leaf_in(files)
    due = NOW + LEAF_LIFETIME - RENEW_BEFORE
    ensure(tmp_path, NAMES, due - timedelta(minutes=1))
    assert leaf_in(files) == first
    ensure(tmp_path, NAMES, due)
    assert leaf_in(files) != first
    leaf_in(files).verify_directly_issued_by(authority_in(files))


def test_a_ca_is_replaced_before_it_would_end_ahead_of_what_it_signs(tmp_path):
    files = ensure(tmp_path, NAMES, NOW)
    first = authority_in(files)
    ensure(tmp_path, NAMES, NOW + CA_LIFETIME - LEAF_LIFETIME + timedelta(days=1))
    assert authority_in(files) != first
    leaf_in(files).verify_directly_issued_by(authority_in(files))


@pytest.mark.parametrize("broken", ["ca.crt", "ca.key", "tls.crt", "tls.key"])
def test_a_broken_file_is_made_anew(tmp_path, broken):
    files = ensure(tmp_path, NAMES, NOW)
    (tmp_path / broken).write_text("garbage")
    ensure(tmp_path, NAMES, NOW)
    leaf_in(files).verify_directly_issued_by(authority_in(files))
    assert ensure(tmp_path, NAMES, NOW) == files


def test_a_certificate_of_another_ca_is_replaced(tmp_path):
    files = ensure(tmp_path / "a", NAMES, NOW)
    other = ensure(tmp_path / "b", NAMES, NOW)
    files.certificate.write_bytes(other.certificate.read_bytes())
    files.key.write_bytes(other.key.read_bytes())
    ensure(tmp_path / "a", NAMES, NOW)
    leaf_in(files).verify_directly_issued_by(authority_in(files))


def test_a_folder_that_cannot_be_used_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        ensure(tmp_path / "file" / "state", NAMES, NOW)
    assert "--state-dir" in error.value.hint
