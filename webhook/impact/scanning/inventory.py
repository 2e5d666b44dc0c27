"""What there is to scan: objects as they stand, in full, of the kinds that policies concern.

The store that facts read from holds pruned objects; a policy may read any field of the object it judges. So the objects
are read again for a scan, one page at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.cluster.documents import read_file
from webhook.cluster.snapshot import is_header
from webhook.cluster.store import Store
from webhook.errors import Problem
from webhook.impact.resourcename import plural
from webhook.kubevirt.resources import RESOURCES
from webhook.model.objects import GroupVersionResource, Object, mapping, name_of, namespace_of, text
from webhook.output.finding import Place
from webhook.policy.document import ResourceRule
from webhook.source.files import find

if TYPE_CHECKING:
    from webhook.cluster.client import Client

_KNOWN = {(row.resource.group, row.kind): row.resource for row in RESOURCES}
_NEVER_READ = frozenset({("", "secrets")})
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Item:
    """One object, the resource it belongs to, and where it stands if in a file."""

    obj: Object
    resource: GroupVersionResource
    place: Place = field(default_factory=Place)

    @property
    def order(self) -> tuple[str, ...]:
        """What items are sorted by: cluster-scoped ones first, then by namespace."""
        return (namespace_of(self.obj), text(self.obj, "kind"), self.resource.group, name_of(self.obj))


@dataclass(frozen=True, slots=True)
class Unread:
    """Objects that are to be scanned and could not be read: nobody knows how they fare."""

    resource: str
    """As ``virtualmachines.kubevirt.io``."""
    why: str
    where: str
    """The API server, or the snapshot."""

    @property
    def problem(self) -> Problem:
        """The same, in a report."""
        return Problem(self.where, f"{self.resource} are not scanned: {self.why}")


def wanted(rules: Iterable[ResourceRule]) -> frozenset[tuple[str, str]]:
    """Return the resources that rules are about, as group and plural name.

    ``*`` stands for those that migguard knows, not for all of a cluster; secrets are not read whatever a rule says.
    """
    known = {(row.resource.group, row.resource.resource) for row in RESOURCES}
    found: set[tuple[str, str]] = set()
    for rule in rules:
        for group in rule.groups:
            for name in (name for name in rule.resources if "/" not in name or name == "*/*"):
                if "*" in {group, name.partition("/")[0]}:
                    found |= {one for one in known if group in {"*", one[0]} and name in {"*", "*/*", one[1]}}
                else:
                    found.add((group, name))
    return frozenset(found - _NEVER_READ)


def from_manifests(paths: Iterable[Path], resources: frozenset[tuple[str, str]]) -> Iterator[Item]:
    """Yield the objects of these resources in files, in order of namespace, kind and name.

    That the files can be read was seen when facts were read from them.
    """
    items = []
    for file in find(paths):
        for found in read_file(file):
            if not isinstance(found, Problem) and not is_header(found.value):
                resource = resource_of(found.value)
                if (resource.group, resource.resource) in resources:
                    items.append(Item(found.value, resource, Place.of(found.where)))
    yield from sorted(items, key=lambda item: item.order)


def unread(store: Store, resources: frozenset[tuple[str, str]], where: str) -> Iterator[Unread]:
    """Yield those of these resources that a snapshot could not be taken of."""
    for watched in store.resources:
        why = store.unreadable(watched)
        if why and (watched.resource.group, watched.resource.resource) in resources:
            yield Unread(str(watched.resource), why.removeprefix(f"{watched.resource} cannot be read: "), where)


def from_cluster(client: Client, resources: frozenset[tuple[str, str]]) -> Iterator[Item | Unread]:
    """Yield the objects of these resources, resource by resource, in the order in which the API server keeps them.

    That is by namespace and name; it needs no more memory than a page. What our account may not list is yielded as
    such. Raises ClusterError.
    """
    # Imported here because the kubernetes client costs half a second, which manifests have no need of.
    from webhook.cluster.client import resource_path  # noqa: PLC0415 - see above
    from webhook.cluster.failures import StatusError, needed_right  # noqa: PLC0415 - see above
    from webhook.cluster.lists import LIST_SECONDS, served  # noqa: PLC0415 - see above

    for group, name in sorted(resources, key=_by_kind):
        found = served(client, group, name)
        if found is None:
            continue
        resource = GroupVersionResource(group, found.version, name)
        path = resource_path(resource)
        try:
            for page in client.pages(path, timeout=LIST_SECONDS):
                for item in page.items:
                    yield Item(_light({"apiVersion": page.api_version, "kind": found.kind, **mapping(item)}), resource)
        except StatusError as error:
            if error.status != _FORBIDDEN:
                raise
            why = f"our account lacks the RBAC verb {needed_right('GET', path, {})}"
            yield Unread(str(resource), why, client.server)


def resource_of(obj: Object) -> GroupVersionResource:
    """Return the resource of an object; of a kind that migguard does not know the one that is usual for its name."""
    group, slash, version = text(obj, "apiVersion").rpartition("/")
    kind = text(obj, "kind")
    known = _KNOWN.get((group if slash else "", kind))
    if known is not None:
        return replace(known, version=version)
    return GroupVersionResource(group if slash else "", version, plural(kind))


def _by_kind(resource: tuple[str, str]) -> tuple[str, str]:
    """Virtual machines before their instances, as in manifests."""
    return (resource[1].removesuffix("s"), resource[0])


def _light(obj: Object) -> Object:
    """Without managedFields, which policies are never shown."""
    metadata = {key: item for key, item in mapping(obj, "metadata").items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
