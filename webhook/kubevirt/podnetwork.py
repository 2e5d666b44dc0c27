"""How a VM is connected to the pod network, which decides whether its connection survives a migration.

Source: KubeVirt ``pkg/network/vmispec/interface.go`` (VerifyVMIMigratable), ``network.go`` (LookupPodNetwork),
``defaults.go`` (SetDefaultNetworkInterface).
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook.kubevirt.installation import configuration
from webhook.kubevirt.machine import Machine
from webhook.model.facts import FactContext
from webhook.model.objects import Object, items, mappings, text, value

ALLOW_BRIDGE = "kubevirt.io/allow-pod-bridge-network-live-migration"
"""On a VMI: its bridge on the pod network is no obstacle. Its value does not matter."""

_BINDINGS = ("masquerade", "passtBinding", "bridge", "binding", "sriov", "slirp", "macvtap", "passt")
"""In the order in which KubeVirt asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInterface:
    """The interface on the pod network."""

    name: str
    """Of the interface; where there is none, of the network."""
    binding: str
    """How it is connected, as the field is called; empty if nothing says."""
    plugin: str = ""
    """Name of the network binding plugin, if ``binding`` is ``binding``."""
    case: str = ""
    """What is wrong with it, if something is: PodBridge, PodPlugin, PodBinding, PodInterfaceMissing, DefaultBridge."""

    @property
    def description(self) -> str:
        """In plain English, what is wrong with it if it cannot be migrated."""
        match self.case:
            case "PodInterfaceMissing":
                return f"no interface is connected to network {self.name}, which is the pod network"
            case "DefaultBridge":
                return "it names no interface, and this cluster then connects it to the pod network by bridge"
            case "PodPlugin":
                return (
                    f"interface {self.name} is connected to the pod network by binding plugin {self.plugin}, "
                    "which the KubeVirt CR does not call migratable"
                )
            case _:
                how = f"by {self.binding}" if self.binding else "without a binding"
                return f"interface {self.name} is connected to the pod network {how}"


def pod_interface(context: FactContext, machine: Machine) -> PodInterface | None:
    """Return how the machine is connected to the pod network; None if it is not, or if nobody can tell yet."""
    interfaces = mappings(machine.devices, "interfaces")
    if not interfaces:
        return _default(context, machine)
    network = next((found for found in mappings(machine.spec, "networks") if isinstance(found.get("pod"), dict)), None)
    if network is None:
        return None
    name = text(network, "name")
    interface = next((found for found in interfaces if text(found, "name") == name), None)
    if interface is None:
        return PodInterface(name=name, binding="", case="PodInterfaceMissing")
    found = _connected(interface, name)
    # A preference gives masquerade to an interface that says nothing.
    return None if machine.has_preference and not found.binding else found


def _connected(interface: Object, name: str) -> PodInterface:
    binding = next((key for key in _BINDINGS if isinstance(interface.get(key), dict)), "")
    match binding:
        case "bridge":
            return PodInterface(name=name, binding=binding, case="PodBridge")
        case "binding":
            plugin = text(interface, "binding", "name")
            return PodInterface(name=name, binding=binding, plugin=plugin, case="PodPlugin")
        case _:
            return PodInterface(name=name, binding=binding, case="PodBinding")


def _default(context: FactContext, machine: Machine) -> PodInterface | None:
    """The interface that KubeVirt gives to a VM that names no network and no interface, before it starts."""
    if not machine.is_new or machine.has_preference or items(machine.spec, "networks"):
        return None
    if value(machine.devices, "autoattachPodInterface") is False:
        return None
    if (text(configuration(context), "network", "defaultNetworkInterface") or "bridge") != "bridge":
        return None
    return PodInterface(name="default", binding="bridge", case="DefaultBridge")
