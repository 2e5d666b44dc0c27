"""Property tests: the settings in force, the policy that applies and the patched rendering, each against a naive model.

The model (tests/support/settingsreference.py) is written from the rules in words and shares no code with what it
checks.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import context, create, hyperconverged, kubevirt, migration_policy, namespace, vmi, vmim
from tests.support.settingsreference import (
    HYPERCONVERGED,
    INSIDE,
    CannotRenderError,
    effective,
    rendered_with_patch,
    winner,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.jsonpatch import PatchError
from webhook.kubevirt.migrationpolicy import MigrationPolicy, best_match
from webhook.kubevirt.patchannotation import patched
from webhook.kubevirt.resources import VMIM

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
SELECTORS = st.none() | st.fixed_dictionaries(
    {}, optional={"virtualMachineInstanceSelector": LABELS | st.none(), "namespaceSelector": LABELS | st.none()}
)
NAMES = st.sampled_from(["a", "a-z", "a.z", "b", "p10", "p2", "P", "z"])
"""Names whose byte order is not that of people."""

MAYBE = st.sampled_from([None, True, False])
POLICY_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "allowPostCopy": MAYBE,
        "allowWorkloadDisruption": MAYBE,
        "allowAutoConverge": MAYBE,
        "completionTimeoutPerGiB": st.sampled_from([None, 30, 900]),
        "network": st.just("ignored"),
        "disableTLS": st.just(True),
    },
)
POLICIES = st.dictionaries(NAMES, st.tuples(SELECTORS, POLICY_SPECS), max_size=8).map(
    lambda found: [migration_policy(name, selectors=each, **spec) for name, (each, spec) in found.items()]
)


@given(POLICIES, LABELS, LABELS)
def test_the_policy_that_applies_is_the_one_of_the_rules_in_words(
    policies: list[Any], vmi_labels: dict[str, str], namespace_labels: dict[str, str]
) -> None:
    found = best_match([MigrationPolicy.read(policy) for policy in policies], vmi_labels, namespace_labels)
    assert (found.name if found else None) == winner(policies, vmi_labels, namespace_labels)


FILLED = {"allowAutoConverge": True, "allowPostCopy": False, "disableTLS": False, "progressTimeout": 150}
BOOLEAN = st.sampled_from(["allowPostCopy", "allowPostCopy", "ALLOWPOSTCOPY", "allowAutoConverge", "disableTLS"])
BOOLEAN_VALUES = st.sampled_from([True, True, False, None])
OTHER = st.sampled_from(["progressTimeout", "ProgressTimeout", "zzz"])
MIGRATIONS = st.dictionaries(BOOLEAN, BOOLEAN_VALUES, max_size=3)
MAPS = st.sampled_from([INSIDE, INSIDE, INSIDE, "/spec/configuration/Migrations"])
AROUND = st.sampled_from(["/spec/configuration", "/spec/Configuration"])
WRONG = st.sampled_from(["true", 7, [], {}])


def operation(kind: str, path: str, value: Any = None, source: str = INSIDE) -> dict[str, Any]:
    return {"op": kind, "path": path, "value": value, "from": source}


def under(folder: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda place, name: f"{place}/{name}", folder, names)


SETS = st.sampled_from(["add", "add", "replace"])
LIKELY = st.one_of(
    st.builds(operation, SETS, under(MAPS, BOOLEAN), BOOLEAN_VALUES),
    st.builds(operation, SETS, under(MAPS, OTHER), st.sampled_from([7, -3, None])),
    st.builds(operation, SETS, MAPS, MIGRATIONS | st.none()),
    st.builds(operation, SETS, AROUND, st.fixed_dictionaries({"migrations": MIGRATIONS | st.none()})),
    st.builds(operation, st.just("remove"), MAPS | under(MAPS, BOOLEAN)),
    st.builds(operation, st.sampled_from(["copy", "move"]), under(MAPS, BOOLEAN), source=under(MAPS, BOOLEAN)),
    st.builds(operation, st.sampled_from(["copy", "move"]), MAPS, source=MAPS),
    st.builds(operation, st.just("test"), under(MAPS, BOOLEAN), BOOLEAN_VALUES),
    st.builds(operation, st.just("test"), st.just(INSIDE), st.just(FILLED)),
)
UNLIKELY = st.builds(
    operation,
    st.sampled_from(["add", "replace", "remove", "copy", "move", "test"]),
    AROUND | MAPS | under(MAPS, BOOLEAN | OTHER),
    WRONG,
    AROUND | under(MAPS, OTHER),
)
OPERATIONS = st.lists(st.one_of(*[LIKELY] * 9, UNLIKELY), max_size=4)


@given(OPERATIONS)
def test_a_patch_renders_what_decoding_into_the_filled_struct_gives_or_fails_likewise(operations: list[Any]) -> None:
    try:
        expected: Any = rendered_with_patch(operations, FILLED)
    except CannotRenderError:
        expected = "an error"
    try:
        found: Any = dict(patched(json.dumps(operations), FILLED, {}).migrations)
    except PatchError:
        found = "an error"
    assert found == expected
    assert repr(sorted(found)) == repr(sorted(expected))


SETTINGS = {
    "allowPostCopy": MAYBE,
    "allowAutoConverge": MAYBE,
    "completionTimeoutPerGiB": st.sampled_from([None, 20, 150, 700]),
    "parallelOutboundMigrationsPerNode": st.sampled_from([None, 1, 2, 3]),
    "network": st.sampled_from([None, "lan"]),
}
ANYWHERE = {**SETTINGS, "allowWorkloadDisruption": MAYBE, "disableTLS": MAYBE}
CLUSTER_LAYER = st.fixed_dictionaries({}, optional=ANYWHERE)
ADDED = st.lists(
    st.one_of(*(st.tuples(st.just(name), values) for name, values in ANYWHERE.items())),
    max_size=3,
)
HCO_LAYER = st.tuples(
    st.fixed_dictionaries({}, optional={**SETTINGS, "allowWorkloadDisruption": MAYBE}),
    st.sampled_from(list(HYPERCONVERGED)),
    ADDED,
)


@given(st.none() | CLUSTER_LAYER, st.none() | HCO_LAYER, st.sampled_from(["v1", "v1beta1"]), POLICIES, LABELS, LABELS)
def test_the_settings_of_any_vm_are_those_of_the_layers_one_by_one(
    own: Any,
    hco: Any,
    version: str,
    policies: list[Any],
    vmi_labels: dict[str, str],
    namespace_labels: dict[str, str],
) -> None:
    objects = [vmi(labels=vmi_labels), namespace(labels=namespace_labels), *policies]
    if own is not None:
        objects.append(kubevirt(own, namespace="openshift-cnv"))
    if hco is not None:
        fields, release, added = hco
        operations = [{"op": "add", "path": f"{INSIDE}/{name}", "value": item} for name, item in added]
        written = hyperconverged(fields, version=version, patch=json.dumps(operations) if added else None)
        objects.append({**written, "status": {"versions": [{"name": "operator", "version": release}]}})
    found = context(create(VMIM, vmim()), *objects)
    expected = effective(
        kubevirt=own,
        hyperconverged=hco,
        policies=policies,
        # Every VMI carries its node's name when it is handed over, so none is without labels.
        vmi_labels={**vmi_labels, "kubevirt.io/nodeName": "node01"},
        namespace_labels=namespace_labels,
    )
    assert {name: FACTS[f"migration.{name}"].resolve(found) for name in expected} == expected
