"""Exposure against a naive reference: every VM, before and after, as it runs and as it will start, under every value of
the labels that KubeVirt writes itself. Written from domain.md c.

Nothing of webhook.kubevirt is used to say what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.builders import (
    context,
    create,
    delete,
    kubevirt,
    migration_policy,
    namespace,
    update,
    vm,
    vmi,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource
from webhook.model.request import AdmissionRequest

Json = dict[str, Any]
FLAG = "migguard.io/critical"
NODE, TARGET = "kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName"
OUTDATED = "kubevirt.io/outdatedLauncherImage"
"""What virt-controller puts on each VMI in an upgrade, before the workload updater migrates it."""
WRITTEN = (NODE, TARGET, OUTDATED)
SOMETHING = "value-of-no-policy"
POOL = WatchedResource(
    GroupVersionResource("pool.kubevirt.io", "v1beta1", "virtualmachinepools"),
    "VirtualMachinePool",
    namespaced=True,
    keep=(),
)
NAMESPACES = ("prod", "test")
PROTECTED = ("allowPostCopy", "allowWorkloadDisruption")


@dataclass
class Cluster:
    """All objects of a small cluster."""

    migrations: Json
    policies: dict[str, Json]
    vmis: dict[str, Json]
    templates: dict[str, Mapping[str, str]]
    namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)
    pools: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """The labels in their templates; migguard keeps no pool, and judges the one that is written."""

    def objects(self) -> list[Json]:
        vms = [vm(*reversed(name.split("/")), template_labels=labels) for name, labels in self.templates.items()]
        around = [namespace(name, labels=labels) for name, labels in self.namespaces.items()]
        return [kubevirt(self.migrations), *self.policies.values(), *self.vmis.values(), *vms, *around]


def labels_of(found: Json) -> dict[str, str]:
    return dict(found["metadata"].get("labels", {}))


def around(cluster: Cluster, name: str) -> Mapping[str, str]:
    return cluster.namespaces.get(name.split("/", maxsplit=1)[0], {})


def is_flagged(*sources: Mapping[str, str]) -> bool:
    return any(labels.get(FLAG) == "true" for labels in sources)


def runs(cluster: Cluster, name: str) -> bool:
    return name in cluster.vmis and cluster.vmis[name]["status"]["phase"] not in {"Succeeded", "Failed"}


def is_critical(cluster: Cluster, name: str) -> bool:
    """Whether it runs and is critical."""
    return runs(cluster, name) and is_flagged(
        labels_of(cluster.vmis[name]), cluster.templates.get(name, {}), around(cluster, name)
    )


def lives(before: Cluster, after: Cluster) -> Iterator[tuple[str, Mapping[str, str], Mapping[str, str]]]:
    """Every critical VM as it runs and as it will start: its name, and its labels before and after."""
    for name in before.vmis:
        if is_critical(before, name) or is_critical(after, name):
            yield name, labels_of(before.vmis[name]), labels_of(after.vmis[name])
    for name in before.templates:
        old, new = before.templates[name], after.templates[name]
        if is_flagged(old, new, around(before, name), around(after, name)) or (
            old != new and is_critical(before, name)
        ):
            yield name, old, new
    for name in before.pools:
        old, new = before.pools[name], after.pools[name]
        if old != new and is_flagged(old, new, around(before, name)):
            yield name, old, new


def winner(policies: Sequence[Json], labels: Mapping[str, str], around: Mapping[str, str]) -> Json | None:
    """The policy with the most pairs, then the most pairs of the VMI, then the smallest name; domain.md c."""
    ranked = []
    for policy in policies:
        selectors = policy["spec"].get("selectors")
        if selectors is None:
            continue
        of_vmi = selectors.get("virtualMachineInstanceSelector") or {}
        of_namespace = selectors.get("namespaceSelector") or {}
        if of_vmi.items() <= labels.items() and of_namespace.items() <= around.items():
            ranked.append((-len(of_vmi) - len(of_namespace), -len(of_vmi), policy["metadata"]["name"].encode(), policy))
    return min(ranked, key=lambda entry: entry[:3])[3] if ranked else None


def situations(cluster: Cluster, name: str, labels: Mapping[str, str], extra: Sequence[Json]) -> Iterator[Json | None]:
    """The policy that applies, for every value of what KubeVirt writes: the nodes, and whether the launcher is old."""
    policies = list(cluster.policies.values())
    values: dict[str, set[str]] = {key: {SOMETHING} for key in WRITTEN}
    for policy in (*policies, *extra):
        selector = (policy["spec"].get("selectors") or {}).get("virtualMachineInstanceSelector") or {}
        for key in selector.keys() & set(WRITTEN):
            values[key].add(selector[key])
    for chosen in product(*map(sorted, values.values())):
        yield winner(policies, {**labels, **dict(zip(WRITTEN, chosen, strict=True))}, around(cluster, name))


def stated(policy: Json | None) -> Json:
    """What a policy says of post-copy and disruption; the latter follows the former where it says nothing itself."""
    spec = policy["spec"] if policy else {}
    said = {key: spec[key] for key in PROTECTED if spec.get(key) is not None}
    if "allowPostCopy" in said:
        said.setdefault("allowWorkloadDisruption", said["allowPostCopy"])
    return said


def allowed(cluster: Cluster, name: str, labels: Mapping[str, str], extra: Sequence[Json], what: str) -> bool:
    """Whether a migration of the VM may do this, from and to some node."""
    migrations = cluster.migrations
    post_copy = migrations.get("allowPostCopy") is True
    disruption = migrations.get("allowWorkloadDisruption")
    base = {
        "allowPostCopy": post_copy,
        "allowWorkloadDisruption": post_copy if disruption is None else disruption,
        "disableTLS": migrations.get("disableTLS") is True,
    }
    return any({**base, **stated(policy)}[what] for policy in situations(cluster, name, labels, extra))


def pinned(cluster: Cluster, name: str, labels: Mapping[str, str], extra: Sequence[Json], what: str) -> bool:
    """Whether a MigrationPolicy rules this out, from and to every node."""
    return all(stated(policy).get(what) is False for policy in situations(cluster, name, labels, extra))


def expected(before: Cluster, after: Cluster, *, moves_policies: bool) -> dict[str, list[str]]:
    """Every VM, one after another."""
    extra = [*before.policies.values(), *after.policies.values()]
    found: dict[str, list[str]] = {
        "postCopy": [],
        "disruption": [],
        "tls": [],
        "volumeMigrations": [],
        "unprotected": [],
    }
    fields = {"postCopy": "allowPostCopy", "disruption": "allowWorkloadDisruption", "tls": "disableTLS"}

    def gained(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
        return {
            kind
            for kind, what in fields.items()
            if allowed(after, name, new, extra, what) and not allowed(before, name, old, extra, what)
        }

    for name, machine in before.vmis.items():
        copies = runs(before, name) and machine["status"].get("migratedVolumes")
        if copies and "postCopy" in gained(name, labels_of(machine), labels_of(after.vmis[name])):
            found["volumeMigrations"].append(name)
    for name, old, new in lives(before, after):
        for kind in gained(name, old, new):
            found[kind].append(name)
        lost = any(
            pinned(before, name, old, extra, what) and not pinned(after, name, new, extra, what) for what in PROTECTED
        )
        exposed = allowed(before, name, old, extra, "allowPostCopy") or allowed(
            after, name, new, extra, "allowPostCopy"
        )
        if moves_policies and lost and not exposed:
            found["unprotected"].append(name)
    found["unprotected"] = [name for name in found["unprotected"] if name not in found["postCopy"]]
    return {kind: sorted(set(names)) for kind, names in found.items()}


FLAGGED = {FLAG: "true"}
LABELS = st.sampled_from(
    [
        {},
        FLAGGED,
        {**FLAGGED, "app": "db"},
        {**FLAGGED, "app": "web", TARGET: "w1"},
        {**FLAGGED, "app": "db", OUTDATED: ""},
        {FLAG: "no", "app": "db"},
        {"app": "db"},
    ]
)
AROUND = st.sampled_from([{}, {"env": "a"}, FLAGGED, {**FLAGGED, "env": "a"}])
SELECTED = st.sampled_from(
    [
        {},
        {"app": "db"},
        FLAGGED,
        {**FLAGGED, "app": "db"},
        {TARGET: "w1"},
        {NODE: "w1"},
        {NODE: "node01"},
        {**FLAGGED, TARGET: "w2"},
        {"app": "db", NODE: "w1"},
        {NODE: "w1", TARGET: "w2"},
        {OUTDATED: ""},
        {**FLAGGED, OUTDATED: ""},
        {NODE: "w1", OUTDATED: ""},
    ]
)
MAYBE = st.sampled_from([None, True, False])
SELECTORS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "virtualMachineInstanceSelector": SELECTED,
        "namespaceSelector": AROUND,
    },
)
MIGRATIONS = st.fixed_dictionaries(
    {}, optional={"allowPostCopy": MAYBE, "allowWorkloadDisruption": MAYBE, "disableTLS": MAYBE}
)
NAMES = ("p10", "p2", "a-z", "a.z")
"""In an order that byte order and natural order do not share."""


@st.composite
def policies(draw: st.DrawFn, name: str) -> Json:
    said = {key: draw(MAYBE) for key in PROTECTED}
    return migration_policy(name, selectors=draw(SELECTORS), **said)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    machines = {}
    templates: dict[str, Mapping[str, str]] = {}
    for number in range(draw(st.integers(1, 4))):
        name, where = f"vm{number}", draw(st.sampled_from(NAMESPACES))
        copies = draw(st.sampled_from([[], [{"volumeName": "data"}]]))
        machines[f"{where}/{name}"] = vmi(
            name,
            where,
            labels=draw(LABELS),
            phase=draw(st.sampled_from(["Running", "Running", "Running", "Scheduling", "Succeeded"])),
            status={"migratedVolumes": copies},
        )
        if draw(st.booleans()):
            templates[f"{where}/{name}"] = draw(LABELS)
    for number in range(draw(st.integers(0, 2))):
        templates[f"{draw(st.sampled_from(NAMESPACES))}/stopped{number}"] = draw(LABELS)
    return Cluster(
        migrations=draw(MIGRATIONS),
        policies={name: draw(policies(name)) for name in names},
        vmis=machines,
        templates=templates,
        namespaces={where: draw(AROUND) for where in NAMESPACES},
        pools={"prod/pool": draw(LABELS)},
    )


def pool(labels: Mapping[str, str]) -> Json:
    made = {"spec": {"template": {"metadata": {"labels": dict(labels)}}}}
    return {"metadata": {"name": "pool", "namespace": "prod"}, "spec": {"virtualMachineTemplate": made}}


@st.composite
def writes(draw: st.DrawFn) -> tuple[Cluster, Cluster, AdmissionRequest]:
    """A cluster, the same after one write, and that write."""
    before = draw(clusters())
    after = deepcopy(before)
    roads = ["configuration", "VMI", "namespace", "pool", "create policy"]
    roads += ["change policy", "delete policy"] * bool(before.policies) + ["template"] * bool(before.templates)
    match draw(st.sampled_from(roads)):
        case "configuration":
            after.migrations = draw(MIGRATIONS)
            return before, after, update(KUBEVIRT, kubevirt(before.migrations), kubevirt(after.migrations))
        case "VMI":
            name = draw(st.sampled_from(sorted(before.vmis)))
            old = before.vmis[name]
            new = deepcopy(old)
            new["metadata"]["labels"] = draw(LABELS)
            after.vmis[name] = new
            return before, after, update(VMI, old, new)
        case "namespace":
            name = draw(st.sampled_from(NAMESPACES))
            labels = draw(AROUND)
            old = namespace(name, labels=before.namespaces[name])
            after.namespaces[name] = labels
            return before, after, update(NAMESPACE, old, namespace(name, labels=labels))
        case "template":
            name = draw(st.sampled_from(sorted(before.templates)))
            after.templates[name] = draw(LABELS)
            machine, where = reversed(name.split("/"))
            versions = [vm(machine, where, template_labels=found.templates[name]) for found in (before, after)]
            return before, after, update(VM, *versions)
        case "pool":
            after.pools["prod/pool"] = draw(LABELS)
            return before, after, update(POOL, pool(before.pools["prod/pool"]), pool(after.pools["prod/pool"]))
        case "create policy":
            made = draw(policies("new"))
            after.policies["new"] = made
            return before, after, create(MIGRATION_POLICY, made)
        case "change policy":
            name = draw(st.sampled_from(sorted(before.policies)))
            after.policies[name] = draw(policies(name))
            return before, after, update(MIGRATION_POLICY, before.policies[name], after.policies[name])
        case _:
            name = draw(st.sampled_from(sorted(before.policies)))
            del after.policies[name]
            return before, after, delete(MIGRATION_POLICY, before.policies[name])


PINNED = migration_policy("p2", selectors={"virtualMachineInstanceSelector": FLAGGED}, allowPostCopy=False)
SMALL = Cluster({}, {"p2": PINNED}, {"prod/vm0": vmi("vm0", labels=FLAGGED, status={"migratedVolumes": []})}, {})


IN_UPGRADES = migration_policy("new", selectors={"virtualMachineInstanceSelector": {OUTDATED: ""}}, allowPostCopy=True)
FAST = migration_policy("p2", selectors={"virtualMachineInstanceSelector": {"app": "db"}}, allowPostCopy=True)
UNGUARDED = replace(SMALL, policies={})
STOPPED = Cluster({}, {"p2": FAST}, {}, {"prod/db": FLAGGED})
MOVED = {**FLAGGED, "app": "db"}


@given(writes())
@example((SMALL, Cluster(SMALL.migrations, {}, SMALL.vmis, {}), delete(MIGRATION_POLICY, PINNED)))
@example((UNGUARDED, replace(UNGUARDED, policies={"new": IN_UPGRADES}), create(MIGRATION_POLICY, IN_UPGRADES)))
@example(
    (
        STOPPED,
        replace(STOPPED, templates={"prod/db": MOVED}),
        update(VM, vm(template_labels=FLAGGED), vm(template_labels=MOVED)),
    )
)
def test_exposure_is_what_a_walk_over_all_vms_finds(write: tuple[Cluster, Cluster, AdmissionRequest]) -> None:
    before, after, asked = write
    found = context(asked, *before.objects())
    moves_policies = asked.resource.resource != "kubevirts"
    for kind, names in expected(before, after, moves_policies=moves_policies).items():
        assert FACTS[f"exposure.{kind}"].resolve(found) == names, kind
        assert FACTS[f"exposure.{kind}Count"].resolve(found) == len(names), kind
