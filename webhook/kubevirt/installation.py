"""The KubeVirt that is installed: its release, its configuration, its feature gates.

Source: KubeVirt ``pkg/virt-config/configuration.go``, ``pkg/virt-config/featuregate/feature-gates.go``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from webhook.kubevirt.resources import KUBEVIRT
from webhook.kubevirt.workload import first_installed
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, mapping, strings, text

_RELEASE = re.compile(r"v?1\.(\d{1,3})\.\d")
"""Upstream's numbering. A vendor's own tells nothing of what is in it, nor does a digest."""


def kubevirt_cr(context: FactContext) -> Object | None:
    """Return the KubeVirt CR that is in force: of several the one in the first install namespace that has one."""

    def look_up(context: FactContext) -> Object | None:
        return first_installed(context.view.list(KUBEVIRT), strings(context.parameters, "installNamespaces"))

    return context.once("kubevirtCR", look_up)


def configuration(context: FactContext) -> Mapping[str, JSON]:
    """Return ``spec.configuration`` of the KubeVirt CR; empty without one."""
    return mapping(kubevirt_cr(context), "spec", "configuration")


def is_older_than(context: FactContext, minor: int) -> bool:
    """Say whether KubeVirt is known to be older than release ``1.<minor>``; what is unknown counts as the newest."""
    found = _RELEASE.match(text(kubevirt_cr(context), "status", "observedKubeVirtVersion"))
    return found is not None and int(found[1]) < minor


def has_alpha_gate(context: FactContext, gate: str) -> bool:
    """Say whether a feature gate is on that is off unless it is named.

    Source: KubeVirt ``pkg/virt-config/featuregate/feature-gates.go`` (``IsEnabled``).
    """
    return gate in strings(configuration(context), "developerConfiguration", "featureGates")


def default_architecture(context: FactContext) -> str:
    """Return the architecture of a VM that names none.

    Source: KubeVirt ``pkg/virt-operator/util/config.go`` (``SetDefaultArchitecture``).
    """
    found = kubevirt_cr(context)
    configured = text(configuration(context), "architectureConfiguration", "defaultArchitecture")
    return text(found, "status", "defaultArchitecture") or configured or "amd64"
