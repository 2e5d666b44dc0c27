"""Annotations of KubeVirt's functional tests on a VM or VMI, which virt-launcher and virt-controller obey.

One makes every migration of the VM fail at its source, one keeps the target from getting ready, one makes the target's
virt-launcher crash: whoever may edit the VM could hold up the drain of its node for ever.

Source: KubeVirt ``pkg/virt-launcher/virtwrap/live-migration-source.go`` (``shouldImmediatelyFailMigration``) and
``live-migration-target.go`` (``shouldBlockMigrationTargetPreparation``), ``pkg/virt-controller/services/template.go``
(``--simulate-crash``), ``pkg/virt-launcher/virtwrap/cmd-server/server.go`` (``SyncVirtualMachineMemory``).
"""

from __future__ import annotations

from webhook.kubevirt.resources import VM, VMI
from webhook.kubevirt.vmim import FUNC_TEST_PREFIX, changed_keys
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import mapping

FIRST = 10
"""Names that are listed; one is enough to refuse."""


def annotations_set(context: FactContext) -> list[str]:
    """Return the first keys of those that this write adds or gives another value: a VMI's own, or of a VM's template.

    virt-controller copies the template's to each VMI that it makes of it. The VM's own reach no VMI.
    """
    request = context.request
    if is_about(request, VM):
        path: tuple[str, ...] = ("spec", "template", "metadata", "annotations")
    elif is_about(request, VMI):
        path = ("metadata", "annotations")
    else:
        return []
    after = mapping(request.object, *path)
    changed = changed_keys(mapping(request.old_object, *path), after)
    return [key for key in changed if key in after and key.startswith(FUNC_TEST_PREFIX)][:FIRST]


FACTS = (
    Fact(
        "vmi.testAnnotationsSet",
        "list(string)",
        f"Annotations of KubeVirt's functional tests ({FUNC_TEST_PREFIX}...) that a write of a VM (in its template) or "
        "of a VMI adds or changes.",
        annotations_set,
    ),
)
