"""What in a VM's own specification keeps it from being live migrated, other than its disks.

One rule for each reason of KubeVirt's condition LiveMigratable. KubeVirt stops at the first; here all are found, each
with the value that causes it.

Source: KubeVirt ``pkg/virt-handler/vm.go`` (calculateLiveMigrationCondition) and what it calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from webhook.kubevirt.cpumodel import (
    HOST_MODEL,
    HOST_MODEL_LABEL,
    host_model_of,
    node_labels,
    requires_invtsc,
    tsc_frequency,
    uses_reenlightenment,
)
from webhook.kubevirt.installation import configuration, default_architecture, has_alpha_gate, is_older_than
from webhook.kubevirt.machine import Machine
from webhook.kubevirt.podnetwork import ALLOW_BRIDGE, pod_interface
from webhook.kubevirt.resources import NODE, VMI
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, labels_of, mapping, mappings, name_of, text, value

INTERFACE = "InterfaceNotLiveMigratable"
CPU_MODE = "CPUModeLiveMigratable"
HOST_DEVICE = "HostDeviceNotLiveMigratable"
SEV = "SEVNotLiveMigratable"
TDX = "TDXNotLiveMigratable"
SECURE_EXECUTION = "SecureExecutionNotLiveMigratable"
PERSISTENT_RESERVATION = "PersistentReservationNotLiveMigratable"
NO_TSC_FREQUENCY = "NoTSCFrequencyNotLiveMigratable"
HYPERV_PASSTHROUGH = "HypervPassthroughNotLiveMigratable"
DISKS = "DisksNotLiveMigratable"

VGPU_GATE = "VGPULiveMigration"
TSC_FREQUENCY_LABEL = "cpu-timer.node.kubevirt.io/tsc-frequency"
SCHEDULABLE_LABEL = "kubevirt.io/schedulable"

_POSITIVE = re.compile(r"0*[1-9][0-9]*")

COMPUTED, SAID = "computed", "KubeVirt"

NAMED = 10
"""How many devices are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that keeps a VM from being live migrated."""

    reason: str
    """KubeVirt's reason, as in its condition LiveMigratable."""
    code: str
    """Which case of it, for texts in other languages; empty where only KubeVirt knows."""
    subject: str = ""
    """The interface, device, node or disk that it is about."""
    detail: str = ""
    """What else the message names."""
    message: str
    """In plain English, with the value that causes it."""
    change: str = ""
    """What to change, in plain English."""
    known: str = COMPUTED

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same obstacle before and after a write."""
        return self.code or self.reason, self.subject, self.detail

    def as_json(self) -> dict[str, JSON]:
        """As policies see it."""
        return {
            "reason": self.reason,
            "code": self.code,
            "subject": self.subject,
            "detail": self.detail,
            "message": self.message,
            "change": self.change,
            "known": self.known,
        }


def spec_obstacles(context: FactContext, machine: Machine) -> list[Obstacle]:
    """Return all obstacles but those of disks, in KubeVirt's order."""
    return [obstacle for rule in _RULES for obstacle in rule(context, machine)]


def _interfaces(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/network/vmispec/interface.go`` (VerifyVMIMigratable)."""
    found = pod_interface(context, machine)
    if found is None or found.binding in {"masquerade", "passtBinding"}:
        return
    if found.binding == "bridge" and ALLOW_BRIDGE in machine.annotations:
        return
    if found.binding == "binding":
        plugins = mapping(configuration(context), "network", "binding")
        if isinstance(value(plugins, found.plugin, "migration"), dict):
            return
    yield Obstacle(
        reason=INTERFACE,
        code=found.case,
        subject=found.name,
        detail=found.plugin or found.binding,
        message=found.description,
        change=f"use masquerade for interface {found.name}; connect to other networks through a second interface",
    )


def _cpu_mode(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/virt-handler/vm.go`` (isHostModelMigratable); virt-handler labels the node likewise."""
    node = text(machine.vmi, "status", "nodeName")
    if text(machine.domain, "cpu", "model") != HOST_MODEL:
        return
    labels = node_labels(context, node)
    if labels is not None and not host_model_of(labels):
        yield Obstacle(
            reason=CPU_MODE,
            code="HostModel",
            subject=node,
            message=f"its CPU model is host-model, and node {node} offers none (it has no label {HOST_MODEL_LABEL}…)",
            change="choose a named CPU model (spec.domain.cpu.model)",
        )


def _host_devices(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/virt-handler/vm.go`` (vmiContainsNonMigratablePCIHostDevices)."""
    devices = mappings(machine.devices, "hostDevices")
    if devices:
        named = _named(devices)
        yield Obstacle(
            reason=HOST_DEVICE,
            code="HostDevices",
            subject=named,
            message=f"host devices are passed through to it ({named})",
            change="take the host devices off the VM",
        )
    gpus = mappings(machine.devices, "gpus")
    if gpus:
        yield from _gpus(context, gpus)


def _gpus(context: FactContext, gpus: Sequence[Object]) -> Iterator[Obstacle]:
    named = _named(gpus)
    if is_older_than(context, 9):
        code, message = "GPU", f"it has a GPU ({named}), which this release of KubeVirt cannot migrate"
        change = "take the GPU off the VM"
    elif len(gpus) > 1:
        code, message = "ManyGPUs", f"it has {len(gpus)} GPUs ({named}); at most one can be migrated"
        change = "keep one GPU, a virtual one"
    elif not has_alpha_gate(context, VGPU_GATE):
        code, message = "GPUGate", f"it has a GPU ({named}), and KubeVirt's feature gate {VGPU_GATE} is not enabled"
        change = f"take the GPU off the VM, or have an administrator enable {VGPU_GATE}"
    elif not _is_mediated(context, gpus[0]):
        code, message = "GPUNotMediated", f"its GPU ({named}) is not one of the mediated devices that KubeVirt permits"
        change = "use a virtual GPU of permittedHostDevices.mediatedDevices"
    else:
        return
    yield Obstacle(reason=HOST_DEVICE, code=code, subject=named, detail=str(len(gpus)), message=message, change=change)


def _is_mediated(context: FactContext, gpu: Object) -> bool:
    permitted = mappings(configuration(context), "permittedHostDevices", "mediatedDevices")
    return any(text(device, "resourceName") == text(gpu, "deviceName") for device in permitted)


def _named(devices: Sequence[Object]) -> str:
    named = [text(device, "deviceName") or text(device, "name") or "unnamed" for device in devices[:NAMED]]
    return ", ".join([*named, f"… ({len(devices)})"] if len(devices) > NAMED else named)


_ENCRYPTIONS = {
    "sev": (SEV, "SEV", "AMD SEV"),
    "snp": (SEV, "SNP", "AMD SEV-SNP"),
    "tdx": (TDX, "TDX", "Intel TDX"),
}


def _launch_security(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/util/amd64.go`` (IsSEVVMI, IsTDXVMI), ``pkg/util/s390x.go`` (IsSecureExecutionVMI)."""
    security = value(machine.domain, "launchSecurity")
    if not isinstance(security, dict):
        return
    used = [entry for key, entry in _ENCRYPTIONS.items() if isinstance(security.get(key), dict)]
    if (text(machine.spec, "architecture") or default_architecture(context)) == "s390x":
        used.append((SECURE_EXECUTION, "SecureExecution", "IBM Secure Execution"))
    for reason, code, name in used:
        yield Obstacle(
            reason=reason,
            code=code,
            subject=name,
            message=f"its memory is encrypted by {name} (launchSecurity)",
            change="take launchSecurity off the VM, or move it while it is stopped",
        )


def _reservations(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Up to release 1.8. Source: KubeVirt ``pkg/storage/reservation/pr.go`` (HasVMIPersistentReservation)."""
    if not is_older_than(context, 9):
        return
    for disk in mappings(machine.devices, "disks"):
        if value(disk, "lun", "reservation") is True:
            name = text(disk, "name")
            yield Obstacle(
                reason=PERSISTENT_RESERVATION,
                code="PersistentReservation",
                subject=name,
                message=f"disk {name} uses SCSI persistent reservations, which this release of KubeVirt cannot migrate",
                change=f"take the reservation off disk {name}",
            )


def _tsc(context: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/virt-controller/watch/topology/tsc.go`` (GetTscFrequencyRequirement), ``hinter.go``."""
    if not uses_reenlightenment(machine.domain) or requires_invtsc(value(machine.domain, "cpu")):
        return
    if tsc_frequency(machine.vmi) or _may_get_frequency(context, machine):
        return
    yield Obstacle(
        reason=NO_TSC_FREQUENCY,
        code="TSCFrequency",
        message="it uses Hyper-V reenlightenment, and no frequency of the time stamp counter is known for it",
        change="take features.hyperv.reenlightenment off the VM, or run it where nodes expose their TSC frequency",
    )


def _may_get_frequency(context: FactContext, machine: Machine) -> bool:
    """Say whether KubeVirt will give a VM that has no node yet a frequency: one that is configured or on any node."""
    if text(machine.vmi, "status", "nodeName"):
        return False
    if (text(machine.spec, "architecture") or default_architecture(context)) != "amd64":
        return False
    configured = value(configuration(context), "developerConfiguration", "minimumClusterTSCFrequency")
    if configured is not None:
        return type(configured) is int and configured > 0
    nodes = context.view.list(NODE)
    walked = context.deadline.walk(nodes, "it was known whether the nodes expose their TSC frequency")
    return not nodes or any(_exposes_frequency(context, node) for node in walked)


def _exposes_frequency(context: FactContext, node: Object) -> bool:
    labels = labels_of(node)
    frequency = labels.get(TSC_FREQUENCY_LABEL, "")
    if not _POSITIVE.fullmatch(frequency):
        return False
    return labels.get(SCHEDULABLE_LABEL) == "true" or bool(context.view.select(VMI, "node", name_of(node)))


def _hyperv_passthrough(_: FactContext, machine: Machine) -> Iterator[Obstacle]:
    """Source: KubeVirt ``pkg/virt-handler/vm.go`` (calculateLiveMigrationCondition)."""
    if value(machine.domain, "features", "hypervPassthrough", "enabled") is True:
        yield Obstacle(
            reason=HYPERV_PASSTHROUGH,
            code="HypervPassthrough",
            message="it takes over all Hyper-V features of its node (features.hypervPassthrough)",
            change="name the features under features.hyperv instead",
        )


_RULES: tuple[Callable[[FactContext, Machine], Iterator[Obstacle]], ...] = (
    _interfaces,
    _cpu_mode,
    _host_devices,
    _launch_security,
    _reservations,
    _tsc,
    _hyperv_passthrough,
)

ORDER = (
    INTERFACE,
    CPU_MODE,
    HOST_DEVICE,
    SEV,
    TDX,
    SECURE_EXECUTION,
    PERSISTENT_RESERVATION,
    NO_TSC_FREQUENCY,
    HYPERV_PASSTHROUGH,
    DISKS,
)
"""In which KubeVirt looks for them (up to release 1.5 for disks first); it reports the first that it finds."""
