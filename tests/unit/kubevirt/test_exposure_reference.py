"""Exposure against a naive reference: every VM, before and after, on every pair of nodes, written from domain.md c.

Nothing of webhook.kubevirt is used to say what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
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
from webhook.kubevirt.resources import KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VMI
from webhook.model.request import AdmissionRequest

Json = dict[str, Any]
FLAG = "migguard.io/critical"
NODE, TARGET = "kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName"
SOMEWHERE = "node-of-no-policy"
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

    def objects(self) -> list[Json]:
        vms = [vm(*reversed(name.split("/")), template_labels=labels) for name, labels in self.templates.items()]
        around = [namespace(name, labels=labels) for name, labels in self.namespaces.items()]
        return [kubevirt(self.migrations), *self.policies.values(), *self.vmis.values(), *vms, *around]


def labels_of(found: Json) -> dict[str, str]:
    return dict(found["metadata"].get("labels", {}))


def is_critical(cluster: Cluster, name: str) -> bool:
    sources = (
        labels_of(cluster.vmis[name]),
        cluster.templates.get(name, {}),
        cluster.namespaces.get(name.split("/", maxsplit=1)[0], {}),
    )
    return any(labels.get(FLAG) == "true" for labels in sources)


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


def situations(cluster: Cluster, name: str, extra: Sequence[Json]) -> Iterator[Json | None]:
    """The policy that applies, for every node the VM may go from and to."""
    policies = list(cluster.policies.values())
    nodes = {SOMEWHERE, "node01"}
    for policy in (*policies, *extra):
        selector = (policy["spec"].get("selectors") or {}).get("virtualMachineInstanceSelector") or {}
        nodes |= {selector[key] for key in (NODE, TARGET) if key in selector}
    labels, around = labels_of(cluster.vmis[name]), cluster.namespaces.get(name.split("/", maxsplit=1)[0], {})
    for source, target in product(sorted(nodes), sorted(nodes)):
        yield winner(policies, {**labels, NODE: source, TARGET: target}, around)


def stated(policy: Json | None) -> Json:
    """What a policy says of post-copy and disruption; the latter follows the former where it says nothing itself."""
    spec = policy["spec"] if policy else {}
    said = {key: spec[key] for key in PROTECTED if spec.get(key) is not None}
    if "allowPostCopy" in said:
        said.setdefault("allowWorkloadDisruption", said["allowPostCopy"])
    return said


def allowed(cluster: Cluster, name: str, extra: Sequence[Json], what: str) -> bool:
    """Whether a migration of the VM may do this, from and to some node."""
    migrations = cluster.migrations
    post_copy = migrations.get("allowPostCopy") is True
    disruption = migrations.get("allowWorkloadDisruption")
    base = {
        "allowPostCopy": post_copy,
        "allowWorkloadDisruption": post_copy if disruption is None else disruption,
        "disableTLS": migrations.get("disableTLS") is True,
    }
    return any({**base, **stated(policy)}[what] for policy in situations(cluster, name, extra))


def pinned(cluster: Cluster, name: str, extra: Sequence[Json], what: str) -> bool:
    """Whether a MigrationPolicy rules this out, from and to every node."""
    return all(stated(policy).get(what) is False for policy in situations(cluster, name, extra))


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
    for name in sorted(before.vmis):
        if before.vmis[name]["status"]["phase"] in {"Succeeded", "Failed"}:
            continue
        gained = {
            kind
            for kind, what in fields.items()
            if allowed(after, name, extra, what) and not allowed(before, name, extra, what)
        }
        if before.vmis[name]["status"].get("migratedVolumes") and "postCopy" in gained:
            found["volumeMigrations"].append(name)
        if not (is_critical(before, name) or is_critical(after, name)):
            continue
        for kind in gained:
            found[kind].append(name)
        lost = any(pinned(before, name, extra, what) and not pinned(after, name, extra, what) for what in PROTECTED)
        if moves_policies and lost and "postCopy" not in gained:
            found["unprotected"].append(name)
    return found


FLAGGED = {FLAG: "true"}
LABELS = st.sampled_from(
    [
        {},
        FLAGGED,
        {**FLAGGED, "app": "db"},
        {**FLAGGED, "app": "web", TARGET: "w1"},
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
    return Cluster(
        migrations=draw(MIGRATIONS),
        policies={name: draw(policies(name)) for name in names},
        vmis=machines,
        templates=templates,
        namespaces={where: draw(AROUND) for where in NAMESPACES},
    )


@st.composite
def writes(draw: st.DrawFn) -> tuple[Cluster, Cluster, AdmissionRequest]:
    """A cluster, the same after one write, and that write."""
    before = draw(clusters())
    after = deepcopy(before)
    roads = ["configuration", "VMI", "namespace", "create policy"] + ["change policy", "delete policy"] * bool(
        before.policies
    )
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


@given(writes())
@example((SMALL, Cluster(SMALL.migrations, {}, SMALL.vmis, {}), delete(MIGRATION_POLICY, PINNED)))
def test_exposure_is_what_a_walk_over_all_vms_finds(write: tuple[Cluster, Cluster, AdmissionRequest]) -> None:
    before, after, asked = write
    found = context(asked, *before.objects())
    moves_policies = asked.resource.resource != "kubevirts"
    for kind, names in expected(before, after, moves_policies=moves_policies).items():
        assert FACTS[f"exposure.{kind}"].resolve(found) == names, kind
        assert FACTS[f"exposure.{kind}Count"].resolve(found) == len(names), kind
