"""Whether the dedicated migration network that a configuration names is there.

virt-operator writes the name into the Multus annotation of virt-handler's pods, as ``NAME@migration0``: so it is a
NetworkAttachmentDefinition of KubeVirt's own namespace, or of another one if written ``NAMESPACE/NAME``. Where it does
not exist, virt-handler's next pod does not start, and its node neither takes VMs nor lets them go.

Source: KubeVirt ``pkg/virt-operator/resource/generate/components/daemonsets.go``; Multus
``pkg/k8sclient/k8sclient.go`` (``parsePodNetworkObjectName``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from webhook.kubevirt.configchange import change_of
from webhook.kubevirt.migrationconfig import cluster_of
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, NETWORK_ATTACHMENT
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import namespace_of, strings

_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_REFERENCE = re.compile(rf"(?:({_LABEL})/)?({_LABEL})", re.ASCII)
"""What Multus takes: a name with a dot it refuses, even if there is such an object."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """The NetworkAttachmentDefinition that a configuration names; of an empty name there can be none."""

    namespace: str
    name: str


def attachment_of(written: str, home: str) -> Attachment:
    """Read the ``network`` field of a configuration whose KubeVirt runs in the namespace ``home``."""
    match = _REFERENCE.fullmatch(written.strip())
    return Attachment(home, "") if match is None else Attachment(match[1] or home, match[2])


def _named(context: FactContext) -> Attachment:
    return attachment_of(str(change_of(context).after["network"].value), _home(context))


def _home(context: FactContext) -> str:
    """KubeVirt's namespace: HyperConverged and the KubeVirt CR that it renders are in the same one."""
    request = context.request
    if is_about(request, HYPERCONVERGED) or is_about(request, KUBEVIRT):
        return request.namespace
    found = cluster_of(context)
    installed = found.kubevirt or found.hyperconverged
    return namespace_of(installed) if installed else next(iter(strings(context.parameters, "installNamespaces")), "")


def _found(context: FactContext) -> bool:
    if not change_of(context).after["network"].value:
        return True
    named = _named(context)
    return bool(named.name) and context.view.get(NETWORK_ATTACHMENT, named.namespace, named.name) is not None


FACTS = (
    Fact(
        "config.networkNamespace",
        "string",
        "The namespace that the migration network's NetworkAttachmentDefinition must be in: that of KubeVirt, unless "
        "the network field names another.",
        lambda context: _named(context).namespace,
    ),
    Fact(
        "config.networkFound",
        "bool",
        "That NetworkAttachmentDefinition exists; true where no network is named.",
        _found,
    ),
)
