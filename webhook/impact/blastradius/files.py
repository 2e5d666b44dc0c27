"""The manifests whose effect on running VMs is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from webhook.cluster import manifests
from webhook.errors import InputError
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.model.objects import Object
from webhook.policy.loader import TEST_FOLDER
from webhook.source.files import find
from webhook.source.files import read as read_text

WRITABLE = (HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI)
"""Kinds that decide how VMs migrate."""

_POLICIES = re.compile(r"""["']?apiVersion["']?\s*:\s*["']?migguard\.io/""")
_OBJECTS = re.compile(rf"""["']?kind["']?\s*:\s*["']?({"|".join(watched.kind for watched in WRITABLE)})\b""")


def are_manifests(path: Path) -> bool:
    """Say whether a file or directory holds such objects, and no policies."""
    if not path.exists():
        return False
    texts = [read_text(file) for file in find([path], skip=frozenset({TEST_FOLDER}))]
    return not any(map(_POLICIES.search, texts)) and any(map(_OBJECTS.search, texts))


def read(paths: Iterable[Path]) -> tuple[Object, ...]:
    """Read what manifests say of the kinds that decide how VMs migrate. Raises InputError, also if there is nothing."""
    listed = list(paths)
    found = manifests.load(listed, WRITABLE)
    if not found.objects:
        kinds = ", ".join(watched.kind for watched in WRITABLE)
        raise InputError(
            f"holds nothing that decides how VMs migrate, but {', '.join(found.ignored)}",
            where=", ".join(map(str, listed)),
            hint=f"kinds that do: {kinds}",
        )
    return found.objects
