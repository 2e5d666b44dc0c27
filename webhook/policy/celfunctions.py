"""The table of Kubernetes' CEL functions that policies can call besides the standard ones, and what implements each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter, gt, lt
from typing import Any, TypeAlias

from webhook.model import quantity
from webhook.policy import accesscheck, address, celregex, semver, sequence

_Row: TypeAlias = tuple[str, Callable[..., Any] | None, str]

_SIGNATURE = re.compile(r"(?:<(\w+)>\.)?([\w.]+)\((.*)\) -> (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One overload of a function. Types are CEL's, or the words of Kubernetes' libraries (quantity, decision)."""

    name: str
    receiver: str
    """The type it is called on; empty for a global function."""
    parameters: tuple[str, ...]
    result: str
    signature: str
    summary: str
    source: str
    implementation: Callable[..., Any] | None
    """None where the CEL runtime brings it itself."""


def _rows(source: str, *rows: _Row) -> Iterator[Function]:
    for signature, implementation, summary in rows:
        match = _SIGNATURE.fullmatch(signature)
        assert match is not None, signature  # noqa: S101 - the literal table below is at fault
        receiver, name, parameters, result = match.groups()
        yield Function(
            name=name,
            receiver=receiver or "",
            parameters=tuple(filter(None, parameters.split(", "))),
            result=result,
            signature=signature,
            summary=summary,
            source=source,
            implementation=implementation,
        )


def _escape_key(key: str) -> str:
    """Escape one step of a JSON Pointer. Source: RFC 6901, section 3."""
    return key.replace("~", "~0").replace("/", "~1")


FUNCTIONS: tuple[Function, ...] = (
    *_rows(
        "Kubernetes list library (k8s.io/apiserver/pkg/cel/library/lists.go)",
        ("<list>.isSorted() -> bool", sequence.is_sorted, "Whether no element is greater than the next."),
        ("<list>.sum() -> any", sequence.total, "The sum of integers or doubles; 0 for an empty list."),
        ("<list>.min() -> any", sequence.least, "The smallest element; an error for an empty list."),
        ("<list>.max() -> any", sequence.greatest, "The greatest element; an error for an empty list."),
        ("<list>.indexOf(any) -> int", sequence.index_of, "Position of the first equal element, or -1."),
        ("<list>.lastIndexOf(any) -> int", sequence.last_index_of, "Position of the last equal element, or -1."),
    ),
    *_rows(
        "CEL lists extension (cel-go/ext/lists.go), part of Kubernetes",
        ("<list>.sort() -> list", None, "The elements in order."),
        ("<list>.distinct() -> list", None, "The elements without repetitions."),
        ("<list>.flatten() -> list", None, "The elements of the lists in the list."),
        ("<list>.slice(int, int) -> list", None, "The elements from the first position up to before the second."),
        ("<list>.reverse() -> list", None, "The elements from last to first."),
    ),
    *_rows(
        "CEL sets extension (cel-go/ext/sets.go), part of Kubernetes",
        ("sets.contains(list, list) -> bool", None, "Whether every element of the second is in the first."),
        ("sets.intersects(list, list) -> bool", None, "Whether some element is in both."),
        ("sets.equivalent(list, list) -> bool", None, "Whether each contains the other."),
    ),
    *_rows(
        "Kubernetes regex library (k8s.io/apiserver/pkg/cel/library/regex.go)",
        ("<string>.find(string) -> string", celregex.find, "The leftmost match of an RE2 pattern, or ''."),
        (
            "<string>.findAll(string) -> list(string)",
            celregex.find_all,
            "All matches of an RE2 pattern that are not empty.",
        ),
        (
            "<string>.findAll(string, int) -> list(string)",
            celregex.find_all,
            "At most so many matches; all if negative.",
        ),
    ),
    *_rows(
        "Kubernetes quantity library (k8s.io/apiserver/pkg/cel/library/quantity.go)",
        ("quantity(string) -> quantity", quantity.parse, "Reads a quantity such as 512Mi, 1.5G, 100m or 12e6."),
        ("isQuantity(string) -> bool", quantity.is_quantity, "Whether quantity() can read it."),
        ("<quantity>.isInteger() -> bool", quantity.is_integer, "Whether asInteger() loses nothing."),
        ("<quantity>.asInteger() -> int", quantity.as_integer, "The quantity as an integer, or an error."),
        ("<quantity>.asApproximateFloat() -> double", float, "The nearest double; infinite if out of range."),
        ("<quantity>.sign() -> int", quantity.sign, "1, 0 or -1."),
        ("<quantity>.add(quantity) -> quantity", quantity.add, "The sum."),
        ("<quantity>.add(int) -> quantity", quantity.add, "The sum."),
        ("<quantity>.sub(quantity) -> quantity", quantity.subtract, "The difference."),
        ("<quantity>.sub(int) -> quantity", quantity.subtract, "The difference."),
        ("<quantity>.compareTo(quantity) -> int", quantity.compare, "1 if greater, -1 if less, 0 if equal."),
        ("<quantity>.isGreaterThan(quantity) -> bool", gt, "Whether it is greater."),
        ("<quantity>.isLessThan(quantity) -> bool", lt, "Whether it is less."),
    ),
    *_rows(
        "Kubernetes semver library (k8s.io/apiserver/pkg/cel/library/semverlib.go)",
        ("semver(string) -> semver", semver.parse, "Reads a semantic version such as 1.2.3-rc.1."),
        ("semver(string, bool) -> semver", semver.parse, "With true, also v1.2 or 01.2.3."),
        ("isSemver(string) -> bool", semver.is_semver, "Whether semver() can read it."),
        ("isSemver(string, bool) -> bool", semver.is_semver, "With true, also v1.2 or 01.2.3."),
        ("<semver>.major() -> int", attrgetter("major"), "The major version."),
        ("<semver>.minor() -> int", attrgetter("minor"), "The minor version."),
        ("<semver>.patch() -> int", attrgetter("patch"), "The patch version."),
        ("<semver>.compareTo(semver) -> int", semver.compare, "1 if greater, -1 if less, 0 if equal."),
        ("<semver>.isGreaterThan(semver) -> bool", gt, "Whether it has precedence."),
        ("<semver>.isLessThan(semver) -> bool", lt, "Whether the other has precedence."),
    ),
    *_rows(
        "Kubernetes IP library (k8s.io/apiserver/pkg/cel/library/ip.go)",
        ("ip(string) -> ip", address.parse_ip, "Reads an IPv4 or IPv6 address, without zone."),
        ("isIP(string) -> bool", address.is_ip, "Whether ip() can read it."),
        (
            "ip.isCanonical(string) -> bool",
            address.is_canonical,
            "Whether the address is written in its canonical form.",
        ),
        ("string(ip) -> string", str, "The address in its canonical form."),
        ("<ip>.family() -> int", attrgetter("version"), "4 or 6."),
        ("<ip>.isUnspecified() -> bool", attrgetter("is_unspecified"), "Whether it is 0.0.0.0 or ::."),
        ("<ip>.isLoopback() -> bool", attrgetter("is_loopback"), "Whether it is in 127.0.0.0/8 or ::1."),
        (
            "<ip>.isLinkLocalMulticast() -> bool",
            address.is_link_local_multicast,
            "Whether it is in 224.0.0.0/24 or ff02::/16.",
        ),
        (
            "<ip>.isLinkLocalUnicast() -> bool",
            attrgetter("is_link_local"),
            "Whether it is in 169.254.0.0/16 or fe80::/10.",
        ),
        (
            "<ip>.isGlobalUnicast() -> bool",
            address.is_global_unicast,
            "Whether it is an ordinary address of one machine.",
        ),
    ),
    *_rows(
        "Kubernetes CIDR library (k8s.io/apiserver/pkg/cel/library/cidr.go)",
        ("cidr(string) -> cidr", address.parse_cidr, "Reads an address and prefix length such as 10.0.0.0/8."),
        ("isCIDR(string) -> bool", address.is_cidr, "Whether cidr() can read it."),
        ("string(cidr) -> string", str, "The CIDR as text."),
        ("<cidr>.containsIP(ip) -> bool", address.CIDR.contains_ip, "Whether the address is in the network."),
        ("<cidr>.containsIP(string) -> bool", address.CIDR.contains_ip, "Whether the address is in the network."),
        (
            "<cidr>.containsCIDR(cidr) -> bool",
            address.CIDR.contains_cidr,
            "Whether the other network is part of this one.",
        ),
        (
            "<cidr>.containsCIDR(string) -> bool",
            address.CIDR.contains_cidr,
            "Whether the other network is part of this one.",
        ),
        ("<cidr>.ip() -> ip", attrgetter("address"), "The address before the slash."),
        ("<cidr>.masked() -> cidr", address.CIDR.masked, "The CIDR with the bits after the prefix set to zero."),
        ("<cidr>.prefixLength() -> int", attrgetter("bits"), "The prefix length in bits."),
    ),
    *_rows(
        "Kubernetes URL library (k8s.io/apiserver/pkg/cel/library/urls.go)",
        ("url(string) -> url", address.parse_url, "Reads an absolute URI or an absolute path."),
        ("isURL(string) -> bool", address.is_url, "Whether url() can read it."),
        ("<url>.getScheme() -> string", attrgetter("scheme"), "The scheme, or ''."),
        ("<url>.getHost() -> string", attrgetter("host"), "Host and port, or ''; IPv6 in brackets."),
        ("<url>.getHostname() -> string", attrgetter("hostname"), "The host without port and brackets, or ''."),
        ("<url>.getPort() -> string", attrgetter("port"), "The port, or ''."),
        ("<url>.getEscapedPath() -> string", attrgetter("escaped_path"), "The path, escaped, or ''."),
        (
            "<url>.getQuery() -> map(string, list(string))",
            attrgetter("query"),
            "The values of each query parameter, unescaped.",
        ),
    ),
    *_rows(
        "Kubernetes authorizer library (k8s.io/apiserver/pkg/cel/library/authz.go)",
        (
            "<authorizer>.serviceAccount(string, string) -> authorizer",
            accesscheck.for_service_account,
            "Asks for the service account of that namespace and name instead.",
        ),
        (
            "<authorizer>.path(string) -> pathCheck",
            accesscheck.with_path,
            "Asks about a path that is no resource, such as /healthz.",
        ),
        (
            "<authorizer>.group(string) -> groupCheck",
            accesscheck.with_group,
            "Asks about an API group; '' is the core group.",
        ),
        (
            "<groupCheck>.resource(string) -> resourceCheck",
            accesscheck.with_resource,
            "Asks about a resource, by its plural name.",
        ),
        (
            "<resourceCheck>.subresource(string) -> resourceCheck",
            accesscheck.with_subresource,
            "Narrows it to a subresource.",
        ),
        (
            "<resourceCheck>.namespace(string) -> resourceCheck",
            accesscheck.with_namespace,
            "Narrows it to a namespace.",
        ),
        ("<resourceCheck>.name(string) -> resourceCheck", accesscheck.with_name, "Narrows it to one object."),
        ("<resourceCheck>.check(string) -> decision", accesscheck.ask, "Asks whether the verb is allowed."),
        ("<pathCheck>.check(string) -> decision", accesscheck.ask, "Asks whether the HTTP verb is allowed."),
        ("<decision>.allowed() -> bool", attrgetter("allowed"), "Whether it is allowed; false if nobody could tell."),
        ("<decision>.reason() -> string", attrgetter("reason"), "The question and its answer in words."),
        ("<decision>.errored() -> bool", lambda answer: bool(answer.error), "Whether nobody could tell."),
        ("<decision>.error() -> string", attrgetter("error"), "Why nobody could tell, or ''."),
    ),
    *_rows(
        "Kubernetes JSON Patch library (k8s.io/apiserver/pkg/cel/library/jsonpatch.go)",
        ("jsonpatch.escapeKey(string) -> string", _escape_key, "Escapes ~ and / of a key for a JSON Pointer."),
    ),
)
"""Every function beyond standard CEL and its strings, math, encoders, bindings and optional extensions."""
