"""Which fields of the objects in requests go on record, whatever the policies in force read.

A policy that is tried on last month's decisions may read what no policy read then. So of the kinds that migguard knows
the fields are kept that matter to a migration: of those that it watches what their facts read, and of the templates of
VMs what it reads of the VMs. The status is left out: people do not write it, and it is long.
"""

from __future__ import annotations

from webhook.kubevirt.resources import RESOURCES, VMI
from webhook.kubevirt.templates import TEMPLATES
from webhook.model.objects import GroupVersionResource

_SETTINGS = "spec."


def recorded(resource: GroupVersionResource) -> tuple[str, ...]:
    """Return the paths of fields, as :class:`webhook.model.facts.WatchedResource` has them."""
    return _RECORDED.get((resource.group, resource.resource), ())


_RECORDED = {
    (row.resource.group, row.resource.resource): tuple(path for path in row.keep if not path.startswith("status."))
    for row in RESOURCES
}
_RECORDED |= {
    (template.group, template.resource): (
        *_RECORDED.get((template.group, template.resource), ()),
        "spec.runStrategy",
        "spec.updateVolumesStrategy",
        ".".join((*template.path, "metadata.labels")),
        *(".".join((*template.path, path)) for path in VMI.keep if path.startswith(_SETTINGS)),
    )
    for template in TEMPLATES
}
