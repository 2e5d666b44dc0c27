"""Which labels a node must carry so that the CPU of a migrating VM finds there what it has now.

virt-controller gives them to the target pod as node selectors. What a VM's own ``nodeSelector`` asks for, whether a
node is schedulable, and room for the VM are not judged here.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (createTargetPod,
prepareNodeSelectorForHostCpuModel, getHostCpuModelFromMap, getCPUVendorLabelKey),
``pkg/virt-controller/services/nodeselectorrenderer.go``, ``pkg/virt-controller/watch/topology/tsc.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from webhook.kubevirt.installation import is_older_than
from webhook.kubevirt.memory import launchers_of
from webhook.kubevirt.resources import NODE
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, labels_of, mapping, mappings, text, value

HOST_MODEL = "host-model"
HOST_PASSTHROUGH = "host-passthrough"

HOST_MODEL_LABEL = "host-model-cpu.node.kubevirt.io/"
HOST_FEATURE_LABEL = "host-model-required-features.node.kubevirt.io/"
MIGRATION_MODEL_LABEL = "cpu-model-migration.node.kubevirt.io/"
MODEL_LABEL = "cpu-model.node.kubevirt.io/"
FEATURE_LABEL = "cpu-feature.node.kubevirt.io/"
VENDOR_LABEL = "cpu-vendor.node.kubevirt.io/"
TSC_LABEL = "scheduling.node.kubevirt.io/tsc-frequency-"

_WANTED = "true"


def node_labels(context: FactContext, name: str) -> Mapping[str, str] | None:
    """Return the labels of a node; None if there is no such node."""
    node = context.view.get(NODE, "", name) if name else None
    return None if node is None else labels_of(node)


def host_model_of(labels: Mapping[str, str]) -> str:
    """Return the CPU model that ``host-model`` stands for on a node with these labels; empty if it has none."""
    return min((key.removeprefix(HOST_MODEL_LABEL) for key in labels if key.startswith(HOST_MODEL_LABEL)), default="")


def required_node_labels(context: FactContext, vmi: Object) -> Mapping[str, str]:
    """Return the labels that a node must carry for the sake of this VMI's CPU, to be the target of a local migration.

    Empty where nothing is asked for, and where the source node or its labels are not known.
    """
    source = node_labels(context, text(vmi, "status", "nodeName")) or {}
    required = {**_model_and_features(vmi), **_tsc_frequency(vmi)}
    if text(vmi, "spec", "domain", "cpu", "model") == HOST_MODEL:
        required |= _host_model(_launcher_selectors(context, vmi), source)
    chosen = mapping(vmi, "spec", "nodeSelector")
    if not is_older_than(context, 8) and not any(key.startswith(VENDOR_LABEL) for key in chosen):
        required |= {key: _WANTED for key in sorted(source) if key.startswith(VENDOR_LABEL)}
    return required


def _model_and_features(vmi: Object) -> Mapping[str, str]:
    """What a VMI asks for itself; features count once there is a model, and KubeVirt gives every VMI one."""
    cpu = mapping(vmi, "spec", "domain", "cpu")
    model = text(cpu, "model")
    if not model:
        return {}
    keys = [] if model in {HOST_MODEL, HOST_PASSTHROUGH} else [MODEL_LABEL + model]
    keys += [FEATURE_LABEL + text(feature, "name") for feature in mappings(cpu, "features") if _is_required(feature)]
    return dict.fromkeys(keys, _WANTED)


def _is_required(feature: Object) -> bool:
    return text(feature, "policy") in {"", "require"}


def requires_invtsc(cpu: JSON) -> bool:
    """Say whether a VM's CPU asks for an invariant time stamp counter, without which it then does not start."""
    return any(
        text(feature, "name") == "invtsc" and text(feature, "policy") in {"require", "force"}
        for feature in mappings(cpu, "features")
    )


def uses_reenlightenment(domain: JSON) -> bool:
    """Say whether a VM uses Hyper-V reenlightenment; named without ``enabled`` it does, by KubeVirt's defaults."""
    found = value(domain, "features", "hyperv", "reenlightenment")
    return isinstance(found, dict) and found.get("enabled") is not False


def tsc_frequency(vmi: Object | None) -> int:
    """Return the frequency, in Hz, that KubeVirt gave the VMI's time stamp counter; 0 if none."""
    found = value(vmi, "status", "topologyHints", "tscFrequency")
    return found if type(found) is int and found > 0 else 0


def _tsc_frequency(vmi: Object) -> Mapping[str, str]:
    domain, frequency = value(vmi, "spec", "domain"), tsc_frequency(vmi)
    needed = requires_invtsc(value(domain, "cpu")) or uses_reenlightenment(domain)
    return {f"{TSC_LABEL}{frequency}": _WANTED} if needed and frequency else {}


def _launcher_selectors(context: FactContext, vmi: Object) -> Mapping[str, str]:
    """The node selectors of the virt-launcher pod that the VMI runs in."""
    found = (mapping(pod, "spec", "nodeSelector") for pod in launchers_of(context, vmi))
    return {key: item for selectors in found for key, item in selectors.items() if isinstance(item, str)}


def _host_model(selectors: Mapping[str, str], source: Mapping[str, str]) -> Mapping[str, str]:
    """What host-model means on the source node; what the pod already selects by is reused instead.

    Any CPU feature in the pod's selectors counts as reuse, also one that the VM itself asks for, as in virt-controller.
    """
    reused = {key: selectors[key] for key in selectors if FEATURE_LABEL in key or MIGRATION_MODEL_LABEL in key}
    model = host_model_of(source)
    if reused or not model:
        return reused
    features = _renamed(source, HOST_FEATURE_LABEL, FEATURE_LABEL)
    return {**features, MIGRATION_MODEL_LABEL + model: source[HOST_MODEL_LABEL + model]}


def _renamed(labels: Mapping[str, str], prefix: str, other: str) -> Mapping[str, str]:
    keys: Iterable[str] = (key for key in labels if key.startswith(prefix))
    return {other + key.removeprefix(prefix): labels[key] for key in keys}


def _required(context: FactContext) -> Mapping[str, str]:
    vmi = vmi_of(context)
    return {} if vmi is None else dict(sorted(required_node_labels(context, vmi).items()))


FACTS = (
    Fact(
        "vmi.requiredNodeLabels",
        "map(string)",
        "Labels that a node must carry to take over the VMI's CPU in a local migration: model, features, vendor.",
        _required,
    ),
)
