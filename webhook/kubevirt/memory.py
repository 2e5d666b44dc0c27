"""How much memory the scheduler sets aside for a pod, and for a VM: that of its virt-launcher pod.

A VM whose pod is not known (manifests, a VM that is about to start) is estimated as KubeVirt renders it. Left out of
the estimate is what is not kept of a VM: exec probes (110 MiB), and the containers beside the launcher (container
disks, hook sidecars).

Source: Kubernetes ``staging/src/k8s.io/component-helpers/resource/helpers.go`` (``PodRequests``); KubeVirt
``pkg/virt-controller/services/{renderresources,template}.go``, ``pkg/hypervisor/kvm/hypervisorbackend.go``
(``GetMemoryOverhead``), ``pkg/network/resources/memory.go``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from webhook.kubevirt.indexkeys import DOMAIN_ANNOTATION, FINAL_PHASES
from webhook.kubevirt.installation import configuration
from webhook.kubevirt.resources import POD
from webhook.model.facts import FactContext
from webhook.model.objects import (
    JSON,
    Object,
    items,
    mapping,
    mappings,
    name_of,
    namespace_of,
    text,
    value,
)
from webhook.model.quantity import MAX_INT64, parse, parse_bytes

MIB = 2**20
GIB = 2**30

_CREATED_BY = "kubevirt.io/created-by"
_LAUNCHER_PROCESSES = (25 + 100 + 25 + 40 + 50) * MIB
"""virt-launcher-monitor, virt-launcher, virtlogd, virtqemud and QEMU itself."""
_IO_THREAD = 8 * MIB
_PER_VCPU = 8 * MIB
_PASST = 250 * MIB


def bytes_of(written: JSON) -> int:
    """Return a quantity in bytes; what is none, or is negative, asks for nothing."""
    size = _parsed(written) if isinstance(written, str) else parse_bytes(written)
    return max(size or 0, 0)


@lru_cache(maxsize=4096)
def _parsed(written: str) -> int | None:
    """Parse once what a cluster's pods say thousands of times."""
    return parse_bytes(written)


def shown(size: int, *, up: bool = False) -> str:
    """Return bytes as people read them: ``64Gi``, ``3.5Gi``, ``200Mi``.

    Rounded down, what there is; rounded up, what is needed: so that what does not fit does not look as if it did.
    """
    unit, name = (GIB, "Gi") if size >= GIB else (MIB, "Mi")
    whole, tenth = divmod(-(-size * 10 // unit) if up else size * 10 // unit, 10)
    return f"{whole}.{tenth}{name}" if tenth else f"{whole}{name}"


def pod_request(pod: Object) -> int:
    """Return the bytes of memory that the scheduler sets aside for a pod.

    Init containers run one after another before the others, sidecars (restartable ones) from their turn on.
    """
    overhead = bytes_of(value(pod, "spec", "overhead", "memory"))
    whole = value(pod, "spec", "resources", "requests", "memory")
    if whole is not None:
        return bytes_of(whole) + overhead
    running = sum(_container_request(container) for container in mappings(pod, "spec", "containers"))
    starting = sidecars = 0
    for container in mappings(pod, "spec", "initContainers"):
        own = _container_request(container)
        starting = max(starting, sidecars + own)
        if text(container, "restartPolicy") == "Always":
            sidecars += own
    return max(running + sidecars, starting) + overhead


def _container_request(container: Object) -> int:
    return bytes_of(value(container, "resources", "requests", "memory"))


def launched_vm(pod: Object) -> str:
    """Return the name of the VMI that a virt-launcher pod runs; empty for any other pod."""
    if text(pod, "metadata", "labels", "kubevirt.io") != "virt-launcher":
        return ""
    return text(pod, "metadata", "annotations", DOMAIN_ANNOTATION)


def belongs_to(pod: Object, vmi: Object) -> bool:
    """Say whether a launcher pod is of this VMI and not of an earlier one of its name."""
    created_by, uid = text(pod, "metadata", "labels", _CREATED_BY), text(vmi, "metadata", "uid")
    return not created_by or not uid or created_by == uid


def launchers_of(context: FactContext, vmi: Object) -> list[Object]:
    """Return the virt-launcher pod that the VMI runs in: one, or none if it is not known.

    During a migration the VM has two; the target is not on the VMI's own node yet.
    """
    node = text(vmi, "status", "nodeName")
    return [
        pod
        for pod in context.view.select(POD, "vmi", f"{namespace_of(vmi)}/{name_of(vmi)}")
        if launched_vm(pod)
        and belongs_to(pod, vmi)
        and text(pod, "spec", "nodeName") == node
        and text(pod, "status", "phase") not in FINAL_PHASES
    ]


def vm_request(context: FactContext, vmi: Object) -> int:
    """Return the bytes of memory that the VM's launcher pod asks for; estimated where there is no pod."""
    return request_of(vmi, launchers_of(context, vmi), configuration(context))


def request_of(vmi: Object, launchers: Sequence[Object], configured: Mapping[str, JSON]) -> int:
    """Return the bytes of memory that a VM's launcher pod asks for; without a pod they are estimated."""
    asked = max(map(pod_request, launchers)) if launchers else estimated_request(vmi, configured)
    return min(asked, MAX_INT64)


def estimated_request(vmi: Object, configured: Mapping[str, JSON]) -> int:
    """Return the bytes of memory that KubeVirt would render into the launcher pod of a VMI.

    Of a VM on huge pages only the overhead is memory, and what it asks for beyond its guest.
    """
    domain = mapping(vmi, "spec", "domain")
    overhead = _overhead(vmi, configured)
    request = _guest_request(domain, configured)
    if isinstance(value(domain, "memory", "hugepages"), Mapping):
        guest = value(domain, "memory", "guest")
        request = max(request - bytes_of(guest), 0) if guest is not None else 0
    elif value(domain, "resources", "overcommitGuestOverhead") is True:
        overhead = 0
    return request + overhead


def _guest_request(domain: Mapping[str, JSON], configured: Mapping[str, JSON]) -> int:
    """Source: KubeVirt ``renderresources.go`` (``WithMemoryRequests``)."""
    written = value(domain, "resources", "requests", "memory")
    stated = bytes_of(written) or bytes_of(value(domain, "resources", "limits", "memory"))
    if stated or written is not None:
        return stated
    guest = value(domain, "memory", "guest")
    size = bytes_of(guest if guest is not None else value(domain, "memory", "hugepages", "pageSize"))
    percent = value(configured, "developerConfiguration", "memoryOvercommit")
    overcommit = percent if isinstance(percent, int) and not isinstance(percent, bool) and percent > 0 else 100
    return size * 100 // overcommit


def _overhead(vmi: Object, configured: Mapping[str, JSON]) -> int:
    """Source: KubeVirt ``GetMemoryOverhead`` (per hypervisor), ``CalculateMemoryOverhead`` (adds the network)."""
    domain = mapping(vmi, "spec", "domain")
    page_tables = _kilo(bytes_of(value(domain, "resources", "requests", "memory"))) // 512
    extras = sum(size for needs, size in _EXTRAS if needs(vmi))
    reserved = bytes_of(value(domain, "memory", "reservedOverhead", "addedOverhead"))
    vcpus = _vcpus(domain) * _PER_VCPU
    overhead = page_tables + _LAUNCHER_PROCESSES + vcpus + _IO_THREAD + extras + reserved
    return _multiplied(overhead, configured) + _network(domain, configured)


def _kilo(size: int) -> int:
    """Round up to thousands, as KubeVirt computes."""
    return -(-size // 1000) * 1000


def _vcpus(domain: Mapping[str, JSON]) -> int:
    """Source: KubeVirt ``pkg/util/hardware/hw_utils.go`` (``GetNumberOfVCPUs``): what is 0 or unset does not count."""
    cpu = value(domain, "cpu")
    if isinstance(cpu, Mapping):
        topology = [value(cpu, key) for key in ("cores", "sockets", "threads")]
        set_ones = [count for count in topology if isinstance(count, int) and not isinstance(count, bool) and count > 0]
        return math.prod(set_ones) if set_ones else 1
    limit = value(domain, "resources", "limits", "cpu")
    return max(bytes_of(limit if limit is not None else value(domain, "resources", "requests", "cpu")), 1)


def _multiplied(overhead: int, configured: Mapping[str, JSON]) -> int:
    try:
        ratio = float(text(configured, "additionalGuestMemoryOverheadRatio"))
    except ValueError:
        return overhead
    return overhead + int(_kilo(overhead) // 1000 * (ratio - 1)) * 1000 if math.isfinite(ratio) else overhead


def _network(domain: Mapping[str, JSON], configured: Mapping[str, JSON]) -> int:
    interfaces = mappings(domain, "devices", "interfaces")
    passt = _PASST if any(value(interface, "passtBinding") is not None for interface in interfaces) else 0
    plugins = {text(interface, "binding", "name") for interface in interfaces}
    registered = mapping(configured, "network", "binding")
    return passt + sum(
        bytes_of(value(registered, plugin, "computeResourceOverhead", "requests", "memory")) for plugin in plugins
    )


def _graphics(vmi: Object) -> bool:
    return value(vmi, "spec", "domain", "devices", "autoattachGraphicsDevice") in (None, True)


def _arm(vmi: Object) -> bool:
    return text(vmi, "spec", "architecture") == "arm64"


def _vfio(vmi: Object) -> bool:
    devices = mapping(vmi, "spec", "domain", "devices")
    return bool(
        items(devices, "hostDevices")
        or items(devices, "gpus")
        or any(value(interface, "sriov") is not None for interface in mappings(devices, "interfaces"))
    )


def _downward_metrics(vmi: Object) -> bool:
    return any(value(volume, "downwardMetrics") is not None for volume in mappings(vmi, "spec", "volumes"))


def _sev(vmi: Object) -> bool:
    security = mapping(vmi, "spec", "domain", "launchSecurity")
    return security.get("sev") is not None or security.get("snp") is not None


def _tpm(vmi: Object) -> bool:
    tpm = value(vmi, "spec", "domain", "devices", "tpm")
    return isinstance(tpm, Mapping) and tpm.get("enabled") in (None, True)


def _guaranteed(vmi: Object) -> bool:
    """Say whether the VM has CPUs of its own, or asks for the QoS class Guaranteed.

    Source: KubeVirt ``api/core/v1/types.go`` (``IsCPUDedicated``, ``WantsToHaveQOSGuaranteed``).
    """
    domain = mapping(vmi, "spec", "domain")
    if value(domain, "cpu", "dedicatedCPUPlacement") is True:
        return True
    requests, limits = mapping(domain, "resources", "requests"), mapping(domain, "resources", "limits")
    memory, most = bytes_of(requests.get("memory")), bytes_of(limits.get("memory"))
    cpu = _amount(requests.get("cpu"))
    return (memory or most) == most > 0 and cpu == _amount(limits.get("cpu")) > 0


def _amount(written: JSON) -> Decimal:
    """Return a quantity as it is: a CPU may be half a one."""
    try:
        return parse(str(written))
    except ValueError:
        return Decimal(0)


_EXTRAS: Sequence[tuple[Callable[[Object], bool], int]] = (
    (_graphics, 32 * MIB),
    (_arm, 128 * MIB),
    (_vfio, GIB),
    (_downward_metrics, MIB),
    (_sev, 256 * MIB),
    (_tpm, 53 * MIB),
    (_guaranteed, 100 * MIB),
)
"""What costs the launcher how much more."""
