"""IP addresses, CIDRs and URLs as Kubernetes' CEL libraries read them.

Source: ``k8s.io/apiserver/pkg/cel/library/{ip,cidr,urls}.go``, which rest on Go's ``net/netip`` and ``net/url``.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, unquote, unquote_plus

LONGEST = 4096
"""Characters of an address or URL that are read; a longer one is refused."""

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_LINK_LOCAL_MULTICAST = ipaddress.ip_network("224.0.0.0/24")
_BROADCAST = ipaddress.ip_address("255.255.255.255")
_BITS = re.compile(r"0|[1-9][0-9]{0,2}")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:%@]*")
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+(?:%25[^\]%]+)?\]|[A-Za-z0-9\-._~!$&'()*+,;=<>\"\u0080-\U0010ffff]*)(?::([0-9]*))?"
)
_VALID_PATH = re.compile(r"(?:[A-Za-z0-9\-._~$&+,/:;=@!'()*\[\]]|%[0-9A-Fa-f]{2})*")


def parse_ip(text: str) -> IP:
    """Read an address; zones and IPv4-mapped IPv6 addresses are refused. Raises ValueError."""
    try:
        address = ipaddress.ip_address(text[:LONGEST])
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"the IP address {text!r} has a zone, which is not allowed")
        if address.ipv4_mapped is not None:
            raise ValueError(f"the IPv4-mapped IPv6 address {text!r} is not allowed: write {address.ipv4_mapped}")
    return address


def is_ip(text: str) -> bool:
    """Say whether :func:`parse_ip` would succeed."""
    try:
        parse_ip(text)
    except ValueError:
        return False
    return True


def is_canonical(text: str) -> bool:
    """Say whether the address is written in its one canonical form. Raises ValueError if it is no address."""
    return str(parse_ip(text)) == text


def is_link_local_multicast(address: IP) -> bool:
    """224.0.0.0/24, or an IPv6 multicast address of link-local scope (ffx2::/16)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address in _LINK_LOCAL_MULTICAST
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 2  # noqa: PLR2004 - RFC 4291, section 2.7


def is_global_unicast(address: IP) -> bool:
    """Neither unspecified, loopback, multicast, link-local nor broadcast; private addresses count as global."""
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and address != _BROADCAST


@dataclass(frozen=True, slots=True)
class CIDR:
    """An address with a prefix length; bits after the prefix may be set."""

    address: IP
    bits: int

    def __str__(self) -> str:
        return f"{self.address}/{self.bits}"

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The network that the address is in."""
        return ipaddress.ip_network((self.address, self.bits), strict=False)

    def masked(self) -> CIDR:
        """The canonical form: the bits after the prefix are zero."""
        return CIDR(self.network.network_address, self.bits)

    def contains_ip(self, other: IP | str) -> bool:
        """Say whether an address lies in the network. Raises ValueError for a text that is no address."""
        return (parse_ip(other) if isinstance(other, str) else other) in self.network

    def contains_cidr(self, other: CIDR | str) -> bool:
        """Say whether the other network lies wholly in this one. Raises ValueError for a text that is no CIDR."""
        inner = parse_cidr(other) if isinstance(other, str) else other
        return self.bits <= inner.bits and inner.address in self.network


def parse_cidr(text: str) -> CIDR:
    """Read an address and prefix length such as 10.0.0.0/8. Raises ValueError."""
    host, slash, bits = text[:LONGEST].rpartition("/")
    if not slash or not _BITS.fullmatch(bits):
        raise ValueError(f"{text[:80]!r} is not a CIDR such as 10.0.0.0/8")
    address = parse_ip(host)
    if int(bits) > address.max_prefixlen:
        raise ValueError(f"{text!r} is not a CIDR: its prefix is longer than {address.max_prefixlen} bits")
    return CIDR(address, int(bits))


def is_cidr(text: str) -> bool:
    """Say whether :func:`parse_cidr` would succeed."""
    try:
        parse_cidr(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class URL:
    """The parts of a URL; what is absent is empty."""

    text: str
    scheme: str
    hostname: str
    port: str
    has_port: bool
    raw_path: str
    raw_query: str

    @property
    def host(self) -> str:
        """Host and port as written; an IPv6 address keeps its brackets."""
        name = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return f"{name}:{self.port}" if self.has_port else name

    @property
    def escaped_path(self) -> str:
        """The path in its escaped form; kept as written where that is valid."""
        if _VALID_PATH.fullmatch(self.raw_path):
            return self.raw_path
        return quote(unquote(self.raw_path), safe="$&+,/:;=@-_.~")

    @property
    def query(self) -> dict[str, list[str]]:
        """All values of each key, unescaped; a pair that cannot be read is left out."""
        found: dict[str, list[str]] = {}
        for pair in self.raw_query.split("&"):
            if pair and ";" not in pair and not _BAD_ESCAPE.search(pair):
                key, _, text = pair.partition("=")
                found.setdefault(unquote_plus(key), []).append(unquote_plus(text))
        return found


def parse_url(text: str) -> URL:
    """Read an absolute URI or an absolute path. Raises ValueError."""
    if not text or len(text) > LONGEST or _CONTROL.search(text):
        raise ValueError(f"{text[:80]!r} is not a URL: it is empty, too long or holds a control character")
    rest, _, fragment = text.partition("#")
    scheme = found.group(1).lower() if (found := _SCHEME.match(rest)) else ""
    rest, _, query = rest[len(scheme) + 1 if scheme else 0 :].partition("?")
    if not rest.startswith("/"):
        if not scheme:
            raise ValueError(f"{text!r} is not a URL: it is neither an absolute URI nor an absolute path")
        return URL(text=text, scheme=scheme, hostname="", port="", has_port=False, raw_path="", raw_query=query)
    authority, path = "", rest
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        path = slash + path
    user, _, host = authority.rpartition("@")
    match = _HOST.fullmatch(host)
    if match is None or not _USER.fullmatch(user) or any(_BAD_ESCAPE.search(part) for part in (user, path, fragment)):
        raise ValueError(f"{text!r} is not a URL: its host, port or an escape is not valid")
    name, port = match.group(1), match.group(2)
    name = unquote(name[1:-1]) if name.startswith("[") else name
    return URL(
        text=text,
        scheme=scheme,
        hostname=name,
        port=port or "",
        has_port=port is not None,
        raw_path=path,
        raw_query=query,
    )


def is_url(text: str) -> bool:
    """Say whether :func:`parse_url` would succeed."""
    try:
        parse_url(text)
    except ValueError:
        return False
    return True
