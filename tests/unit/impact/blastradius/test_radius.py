"""What manifests would change for running VMs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import (
    CRITICAL,
    NOW,
    PARAMETERS,
    Json,
    create,
    hyperconverged,
    kubevirt,
    migration_policy,
    namespace,
    update,
    vm,
    vmi,
)
from tests.support.view import View
from webhook.admission.pipeline import World
from webhook.impact.blastradius.radius import BlastRadius, Group, blast_radius
from webhook.impact.blastradius.write import Worlds, applied, asking, deleted, worlds
from webhook.kubevirt.exposure import exposure_of
from webhook.kubevirt.migrationconfig import in_force
from webhook.kubevirt.migrationfields import BY_NAME
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import MIGRATION_POLICY, VMI
from webhook.model.objects import name_of, namespace_of

HCO = hyperconverged({"allowPostCopy": False})
SAFE = kubevirt({"allowPostCopy": False}, namespace="openshift-cnv")
GOLD = {"virtualMachineInstanceSelector": {"tier": "gold"}}
VMS = [
    vmi("db", labels={"tier": "gold", **CRITICAL}),
    vmi("web", labels={"tier": "gold"}),
    vmi("build", "dev", labels={"tier": "none"}),
    vmi("old", "dev", phase="Succeeded"),
]
SPACES = [namespace(), namespace("dev")]


def between(state: Sequence[Json], new: Sequence[Json], old: Sequence[Json] | None = None) -> Worlds:
    view = View(*state)
    return worlds(applied(new, old, view), World(view, RBACAuthorizer(view)), PARAMETERS, NOW)


def radius(state: Sequence[Json], new: Sequence[Json], old: Sequence[Json] | None = None) -> BlastRadius:
    return blast_radius(between(state, new, old))


def settings_told(found: BlastRadius) -> list[tuple[str, Any, Any, str, str, list[str]]]:
    return [
        (
            one.field.name,
            one.before.value,
            one.after.value,
            one.before.source,
            one.after.source,
            [f"{subject}{'' if subject.not_critical else '!'}" for subject in one.subjects],
        )
        for one in found.settings
    ]


def groups(found: Sequence[Group]) -> list[tuple[str, str, list[str]]]:
    return [(one.before, one.after, [str(subject) for subject in one.subjects]) for one in found]


HCO_NAME = "HyperConverged openshift-cnv/kubevirt-hyperconverged"
POST_COPY_FIELD = f"{HCO_NAME} spec.liveMigrationConfig.allowPostCopy"


def test_a_hyperconverged_changes_what_no_migration_policy_sets() -> None:
    gold = migration_policy("gold", selectors=GOLD, allowPostCopy=False)
    found = radius([HCO, SAFE, gold, *VMS, *SPACES], [hyperconverged({"allowPostCopy": True, "progressTimeout": 9})])
    assert settings_told(found) == [
        ("allowPostCopy", False, True, POST_COPY_FIELD, POST_COPY_FIELD, ["dev/build"]),
        ("allowWorkloadDisruption", False, True, POST_COPY_FIELD, POST_COPY_FIELD, ["dev/build"]),
        (
            "progressTimeout",
            150,
            9,
            "HyperConverged default",
            f"{HCO_NAME} spec.liveMigrationConfig.progressTimeout",
            ["prod/db!", "dev/build", "prod/web"],
        ),
    ]
    assert [one.dangerous for one in found.settings] == [True, True, False]
    assert (found.running, len(found.affected), found.empty) == (3, 3, False)
    assert [one.field.name for one in found.cluster] == ["progressTimeout", "allowPostCopy", "allowWorkloadDisruption"]


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(hyperconverged({"allowPostCopy": True}, version="v1"), id="in version v1"),
        pytest.param(
            hyperconverged(
                {"allowPostCopy": False},
                patch='[{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": true}]',
            ),
            id="by the jsonpatch annotation",
        ),
        pytest.param(kubevirt({"allowPostCopy": True}, namespace="openshift-cnv"), id="in the KubeVirt CR"),
        pytest.param(migration_policy("fast", selectors={}, allowPostCopy=True), id="by a MigrationPolicy"),
    ],
)
def test_post_copy_comes_by_every_road(new: Json) -> None:
    found = radius([HCO, SAFE, *VMS, *SPACES], [new])
    assert ("allowPostCopy", ["prod/db!", "dev/build", "prod/web"]) in [
        (one[0], one[5]) for one in settings_told(found)
    ]


def test_a_migration_policy_that_stops_and_one_that_begins_are_told() -> None:
    low = migration_policy("low", selectors={}, bandwidthPerMigration="64Mi")
    found = radius([SAFE, low, *VMS, *SPACES], [migration_policy("gold", selectors=GOLD, bandwidthPerMigration="1Gi")])
    assert groups(found.policies) == [("low", "gold", ["prod/db", "prod/web"])]
    assert settings_told(found) == [
        (
            "bandwidthPerMigration",
            64 * 2**20,
            2**30,
            "MigrationPolicy low",
            "MigrationPolicy gold",
            ["prod/db!", "prod/web"],
        )
    ]


def test_a_migration_policy_that_changes_no_value_still_changes_who_rules() -> None:
    found = radius([SAFE, *VMS, *SPACES], [migration_policy("gold", selectors=GOLD, allowPostCopy=False)])
    assert found.settings == ()
    assert groups(found.policies) == [("", "gold", ["prod/db", "prod/web"])]
    assert not found.empty


def test_a_critical_vm_that_loses_its_protection_is_told_before_it_is_exposed() -> None:
    gold = migration_policy("gold", selectors=GOLD, allowPostCopy=False)
    view = View(SAFE, gold, *VMS, *SPACES)
    found = blast_radius(worlds(deleted([gold], view), World(view, RBACAuthorizer(view)), PARAMETERS, NOW))
    assert groups(found.unprotected) == [("MigrationPolicy gold", "", ["prod/db"])]
    assert groups(found.policies) == [("gold", "", ["prod/db", "prod/web"])]


@pytest.mark.parametrize(
    ("state", "new", "before", "after"),
    [
        pytest.param(
            [*VMS, *SPACES],
            namespace("dev", labels=CRITICAL),
            "",
            "label migguard.io/critical=true on Namespace dev",
            id="by its namespace",
        ),
        pytest.param(
            [*VMS, namespace("dev", labels=CRITICAL)],
            namespace("dev"),
            "label migguard.io/critical=true on Namespace dev",
            "",
            id="no more by its namespace",
        ),
        pytest.param(
            [*VMS, *SPACES],
            vmi("build", "dev", labels=CRITICAL),
            "",
            "label migguard.io/critical=true on VirtualMachineInstance dev/build",
            id="by its own label",
        ),
    ],
)
def test_a_vm_that_becomes_critical_or_is_no_longer_is_told(
    state: list[Json], new: Json, before: str, after: str
) -> None:
    found = radius([SAFE, *state], [new])
    assert groups(found.critical) == [(before, after, ["dev/build"])]
    assert [str(one) for one in found.affected] == ["dev/build"]


def test_the_labels_of_a_namespace_choose_among_migration_policies() -> None:
    team = migration_policy("team", selectors={"namespaceSelector": {"team": "a"}}, allowAutoConverge=True)
    found = radius([SAFE, team, *VMS, *SPACES], [namespace(labels={"team": "a"})])
    assert groups(found.policies) == [("", "team", ["prod/db", "prod/web"])]
    assert settings_told(found)[0][:3] == ("allowAutoConverge", False, True)


def test_the_template_of_a_vm_changes_its_next_start() -> None:
    gold = migration_policy("gold", selectors=GOLD, allowPostCopy=True)
    state = [SAFE, gold, vm("db"), vmi("db"), *SPACES]
    found = radius(state, [vm("db", template_labels={"tier": "gold", **CRITICAL})])
    assert [(one.field.name, [(str(each), each.running) for each in one.subjects]) for one in found.settings] == [
        ("allowPostCopy", [("prod/db", False)]),
        ("allowWorkloadDisruption", [("prod/db", False)]),
    ]
    critical = groups(found.critical)
    assert ("", "label migguard.io/critical=true in its template", ["prod/db"]) in critical


def test_labels_that_kubevirt_keeps_are_not_taken_off_by_a_manifest() -> None:
    pinned = migration_policy(
        "pinned", selectors={"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": "node01"}}, allowPostCopy=True
    )
    stored = vmi("db", labels={"kubevirt.io/nodeName": "node01", "a": "b"})
    assert radius([SAFE, pinned, stored, *SPACES], [vmi("db", labels={"a": "b"})]).empty


def test_two_files_are_compared_with_each_other_and_not_with_the_cluster() -> None:
    other = hyperconverged({"allowPostCopy": True, "progressTimeout": 9})
    state = [HCO, SAFE, *VMS, *SPACES]
    found = radius(state, [other], [hyperconverged({"allowPostCopy": True})])
    assert {one[0] for one in settings_told(found)} == {"progressTimeout"}


def test_several_objects_are_applied_together() -> None:
    gold = migration_policy("gold", selectors=GOLD, allowPostCopy=False)
    found = radius([HCO, SAFE, *VMS, *SPACES], [hyperconverged({"allowPostCopy": True}), gold])
    assert [one[5] for one in settings_told(found)] == [["dev/build"], ["dev/build"]]


def test_dangerous_changes_come_first_and_critical_vms_before_others() -> None:
    new = kubevirt({"allowPostCopy": False, "disableTLS": True, "progressTimeout": 9}, namespace="openshift-cnv")
    found = radius([SAFE, *VMS, *SPACES], [new])
    assert [(one[0], one[5][0]) for one in settings_told(found)] == [
        ("disableTLS", "prod/db!"),
        ("progressTimeout", "prod/db!"),
    ]


MIGRATIONS = st.fixed_dictionaries(
    {},
    optional={
        "allowPostCopy": st.booleans(),
        "allowAutoConverge": st.booleans(),
        "bandwidthPerMigration": st.sampled_from(["64Mi", "1Gi", "0"]),
        "completionTimeoutPerGiB": st.sampled_from([10, 150]),
        "progressTimeout": st.sampled_from([30, 150]),
        "network": st.sampled_from(["", "net"]),
    },
)
CRS = MIGRATIONS.flatmap(
    lambda known: st.booleans().map(lambda tls: kubevirt({**known, "disableTLS": tls}, namespace="openshift-cnv"))
)
HCOS = st.builds(
    hyperconverged,
    MIGRATIONS,
    version=st.sampled_from(["v1", "v1beta1"]),
    patch=st.sampled_from(
        [None, '[{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": true}]']
    ),
)
LABELS = st.sampled_from([{}, {"tier": "gold"}, {"tier": "gold", "app": "db"}, {**CRITICAL, "app": "db"}])
ANYWHERE: list[Any] = [
    None,
    {},
    GOLD,
    {"virtualMachineInstanceSelector": {"tier": "gold", "app": "db"}},
    {"namespaceSelector": {"team": "a"}},
]
SELECTORS: list[Any] = [
    *ANYWHERE,
    {"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": "node01"}},
    {"virtualMachineInstanceSelector": {"kubevirt.io/migrationTargetNodeName": "node02"}},
]


def policies_of(selectors: list[Any]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda name, selector, fields: migration_policy(name, selectors=selector, **fields),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(selectors),
        st.fixed_dictionaries({"allowPostCopy": st.booleans()}, optional={"allowAutoConverge": st.just(True)}),
    )


NAMESPACES = st.builds(lambda labels: namespace(labels=labels), st.sampled_from([None, {"team": "a"}, CRITICAL]))


@st.composite
def clusters(draw: st.DrawFn, selectors: list[Any] = SELECTORS, *, with_hyperconverged: bool = True) -> list[Json]:
    labels = draw(st.lists(LABELS, min_size=1, max_size=4))
    runs = [vmi(f"vm{index}", labels=found) for index, found in enumerate(labels)]
    policies = draw(st.lists(policies_of(selectors), max_size=3, unique_by=name_of))
    managed = [draw(HCOS)] if with_hyperconverged and draw(st.booleans()) else []
    return [draw(CRS), *managed, draw(NAMESPACES), *policies, *runs]


@given(clusters(), st.one_of(HCOS, CRS, policies_of(SELECTORS), NAMESPACES))
@settings(max_examples=60)
def test_before_and_after_are_what_the_facts_say_in_the_two_worlds(state: list[Json], new: Json) -> None:
    found = radius(state, [new])
    told = {
        (str(subject), one.field.name): (one.before.value, one.after.value)
        for one in found.settings
        for subject in one.subjects
    }
    policies = {str(subject): (one.before, one.after) for one in found.policies for subject in one.subjects}
    for run in found.worlds.before.view.list(VMI):
        name = f"{namespace_of(run)}/{name_of(run)}"
        was, becomes = (
            in_force(asking(context, update(VMI, dict(run), dict(run))))
            for context in (found.worlds.before, found.worlds.after)
        )
        assert policies.get(name, (was.policy, was.policy)) == (was.policy, becomes.policy)
        for field in BY_NAME:
            values = (was.settings[field].value, becomes.settings[field].value)
            assert told.get((name, field), (values[0], values[0])) == values


@given(clusters())
@settings(max_examples=30)
def test_objects_that_stay_as_they_are_change_nothing(state: list[Json]) -> None:
    for one in state:
        assert radius(state, [one]).empty
    assert radius(state, state).empty


@given(clusters(ANYWHERE, with_hyperconverged=False), policies_of(ANYWHERE))
@settings(max_examples=60)
def test_what_exposes_critical_vms_by_the_facts_is_told(state: list[Json], new: Json) -> None:
    """Without selectors on nodes: there the facts look at the worst that may come on any node."""
    found = radius(state, [new])
    context = found.worlds.before
    stored = context.view.get(MIGRATION_POLICY, "", name_of(new))
    asked = create(MIGRATION_POLICY, new) if stored is None else update(MIGRATION_POLICY, dict(stored), new)
    exposure = exposure_of(asking(context, asked))
    gained = {
        str(subject)
        for one in found.settings
        if one.field.name == "allowPostCopy" and one.dangerous
        for subject in one.subjects
        if not subject.not_critical
    }
    assert set(exposure.gained["postCopy"]) == gained
    assert set(exposure.unprotected) == {str(subject) for one in found.unprotected for subject in one.subjects}
