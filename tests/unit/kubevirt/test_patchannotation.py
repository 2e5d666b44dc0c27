"""HyperConverged's jsonpatch annotation. Source: HCO controllers/operands/operand.go; Go encoding/json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kubevirt.jsonpatch import MAX_STEPS, PatchError
from webhook.kubevirt.patchannotation import patched

RENDERED = {"allowAutoConverge": True, "allowPostCopy": False, "parallelMigrationsPerCluster": 5}
AT = "/spec/configuration/migrations"
CLUSTER = {"spec": {"configuration": {"developerConfiguration": {"featureGates": ["A"], "useEmulation": True}}}}


def result(*operations: dict[str, Any], around: dict[str, Any] = CLUSTER) -> Any:
    return patched(json.dumps(operations), RENDERED, around).migrations


def op(kind: str, path: str, **rest: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **rest}


def copied(source: str, kind: str = "copy") -> dict[str, Any]:
    return op(kind, f"{AT}/allowPostCopy", **{"from": source})


ON = {**RENDERED, "allowPostCopy": True}
OUTSIDE = "takes its value from outside of the migration configuration"


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param([], RENDERED, id="applyAnnotationPatch-empty-list-is-a-no-op"),
        pytest.param([op("add", f"{AT}/allowPostCopy", value=True)], ON, id="rfc6902-add"),
        pytest.param([op("replace", f"{AT}/allowPostCopy", value=True)], ON, id="rfc6902-replace"),
        pytest.param([op("remove", f"{AT}/allowPostCopy")], RENDERED, id="decode-into-struct-remove-changes-nothing"),
        pytest.param([op("remove", AT)], RENDERED, id="decode-into-struct-remove-of-the-map-changes-nothing"),
        pytest.param(
            [op("remove", "/spec/configuration")],
            RENDERED,
            id="decode-into-struct-remove-of-configuration-changes-nothing",
        ),
        pytest.param(
            [op("replace", AT, value={"allowPostCopy": True})], ON, id="decode-into-struct-replace-of-migrations-merges"
        ),
        pytest.param([op("add", AT, value={})], RENDERED, id="decode-into-struct-empty-map-clears-nothing"),
        pytest.param([op("add", AT, value=None)], {}, id="decode-into-struct-null-clears-a-pointer-to-a-struct"),
        pytest.param(
            [op("replace", "/spec/configuration", value={"migrations": {"allowPostCopy": True}})],
            ON,
            id="decode-into-struct-replace-of-configuration-merges",
        ),
        pytest.param(
            [op("add", "/spec/configuration", value=None)], RENDERED, id="decode-into-struct-null-leaves-a-struct-alone"
        ),
        pytest.param(
            [op("add", f"{AT}/allowAutoConverge", value=None)],
            {"allowPostCopy": False, "parallelMigrationsPerCluster": 5},
            id="decode-into-struct-null-clears-a-pointer-field",
        ),
        pytest.param([op("add", f"{AT}/AllowPostCopy", value=True)], ON, id="encoding-json-fold-case-of-a-field"),
        pytest.param([op("add", f"{AT}/allowPo\u017ftCopy", value=True)], ON, id="encoding-json-fold-long-s"),
        pytest.param(
            [op("add", "/spec/configuration/Migrations", value={"ALLOWPOSTCOPY": True})],
            ON,
            id="encoding-json-fold-case-of-migrations",
        ),
        pytest.param(
            [op("add", "/spec/CONFIGURATION", value={"migrations": {"allowPostCopy": True}})],
            ON,
            id="encoding-json-fold-case-of-configuration",
        ),
        pytest.param(
            [op("add", f"{AT}/allowPOSTcopy", value=True), op("add", f"{AT}/allowPostcopy", value=False)],
            RENDERED,
            id="encoding-json-last-of-case-variants-wins",
        ),
        pytest.param([copied(f"{AT}/allowAutoConverge")], ON, id="rfc6902-copy-of-a-true-boolean"),
        pytest.param([copied(f"{AT}/allowAutoConverge", "move")], ON, id="decode-into-struct-move-keeps-the-source"),
        pytest.param(
            [op("test", f"{AT}/allowPostCopy", value=False), op("replace", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="rfc6902-test-that-holds",
        ),
        pytest.param(
            [op("add", "/spec/configuration/developerConfiguration/featureGates/-", value="B")],
            RENDERED,
            id="an-operation-elsewhere-is-of-no-effect",
        ),
        pytest.param(
            [op("replace", "/spec/infra/replicas", value=1)],
            RENDERED,
            id="an-operation-that-fails-elsewhere-is-passed-over",
        ),
        pytest.param(
            [op("test", "/spec/infra/replicas", value=1), op("add", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="a-test-elsewhere-is-taken-to-hold",
        ),
        pytest.param(
            [op("add", f"{AT}/network", value="fast")],
            {**RENDERED, "network": "fast"},
            id="rfc6902-add-of-a-field-hco-does-not-have",
        ),
        pytest.param([op("add", f"{AT}/unheardOf", value=1)], RENDERED, id="encoding-json-unknown-field-is-ignored"),
        pytest.param(
            [op("add", AT, value=None), op("add", AT, value={"allowPostCopy": True})],
            {**RENDERED, "allowPostCopy": True},
            id="decode-into-struct-only-the-final-document-counts",
        ),
        pytest.param(
            [op("add", AT, value=None), op("add", "/spec/configuration/MIGRATIONS", value={"allowPostCopy": True})],
            {"allowPostCopy": True},
            id="decode-into-struct-a-cleared-struct-is-filled-anew-by-a-case-variant",
        ),
        pytest.param(
            [op("remove", AT), op("add", AT, value={"allowPostCopy": True})],
            ON,
            id="decode-into-struct-remove-then-add-merges",
        ),
        pytest.param(
            [op("add", f"{AT}/ALLOWPOSTCOPY", value=True), op("add", f"{AT}/allowPostCopy", value=False)],
            ON,
            id="evanphx-keys-keep-their-place-so-an-added-variant-stays-last",
        ),
        pytest.param(
            [
                op("remove", f"{AT}/allowPostCopy"),
                op("add", f"{AT}/ALLOWPOSTCOPY", value=True),
                op("add", f"{AT}/allowPostCopy", value=False),
            ],
            RENDERED,
            id="evanphx-a-removed-key-comes-back-last",
        ),
        pytest.param(
            [copied("ignored/spec/configuration/migrations/allowAutoConverge")], ON, id="evanphx-from-is-not-checked"
        ),
        pytest.param([op("add", f"{AT}/", value=True)], RENDERED, id="evanphx-an-empty-key-is-a-key-like-any-other"),
        pytest.param(
            [op("copy", f"{AT}/allowAutoConverge", **{"from": f"{AT}/"})],
            {"allowPostCopy": False, "parallelMigrationsPerCluster": 5},
            id="evanphx-a-copy-from-an-empty-key-is-null",
        ),
        pytest.param(
            [op("add", f"{AT}/bandwidthPerMigration", value=" 64Mi ")],
            {**RENDERED, "bandwidthPerMigration": "64Mi"},
            id="resource-quantity-spaces-around-are-cut-off",
        ),
        pytest.param(
            [op("add", f"{AT}/bandwidthPerMigration", value=1000)],
            {**RENDERED, "bandwidthPerMigration": 1000},
            id="resource-quantity-a-number-is-one",
        ),
        pytest.param(
            [op("test", f"{AT}/network", value=None), op("add", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="evanphx-test-for-null-holds-where-nothing-is",
        ),
        pytest.param(
            [op("test", AT, value=RENDERED), op("add", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="rfc6902-test-of-the-whole-map-sees-what-was-rendered",
        ),
    ],
)
def test_the_patch_means_what_it_means_to_hyperconverged(operations: list[Any], expected: dict[str, Any]) -> None:
    assert result(*operations) == expected


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        pytest.param([op("add", "/spec", value={})], "outside /spec/", id="applyAnnotationPatch-path-is-spec-itself"),
        pytest.param(
            [op("add", "/metadata/labels", value={})], "outside /spec/", id="applyAnnotationPatch-path-outside-of-spec"
        ),
        pytest.param([op("test", f"{AT}/allowPostCopy", value=True)], "another than", id="rfc6902-test-that-fails"),
        pytest.param([op("replace", f"{AT}/network", value="x")], "nothing at", id="rfc6902-replace-of-an-unset-field"),
        pytest.param([op("remove", f"{AT}/network")], "nothing at", id="rfc6902-remove-of-an-unset-field"),
        pytest.param(
            [op("add", f"{AT}/allowPostCopy", value="true")],
            "is not a boolean",
            id="encoding-json-string-for-a-boolean",
        ),
        pytest.param(
            [op("add", f"{AT}/progressTimeout", value=1.5)],
            "is not a whole number",
            id="encoding-json-fraction-for-an-int64",
        ),
        pytest.param(
            [op("add", f"{AT}/bandwidthPerMigration", value="64MB")],
            "is not a quantity",
            id="resource-quantity-unparsable",
        ),
        pytest.param(
            [op("add", f"{AT}/parallelMigrationsPerCluster", value=-1)],
            "whole number",
            id="encoding-json-negative-for-a-uint32",
        ),
        pytest.param(
            [op("add", f"{AT}/parallelMigrationsPerCluster", value=2**32)],
            "whole number from 0 to 4294967295",
            id="encoding-json-beyond-uint32",
        ),
        pytest.param(
            [op("add", f"{AT}/maxDowntimeMs", value=-1)], "whole number", id="encoding-json-negative-for-a-uint64"
        ),
        pytest.param([op("add", f"{AT}/bandwidthPerMigration", value="")], "quantity", id="resource-quantity-empty"),
        pytest.param(
            [op("add", f"{AT}/allowPostCopy", value=1)], "not a boolean", id="encoding-json-number-for-a-boolean"
        ),
        pytest.param(
            [op("add", AT, value=None), op("add", f"{AT}/allowPostCopy", value=True)],
            "nothing at",
            id="evanphx-add-below-null",
        ),
        pytest.param(
            [op("remove", "/spec/configuration"), op("add", f"{AT}/allowPostCopy", value=True)],
            "nothing at",
            id="evanphx-add-under-a-missing-parent",
        ),
        pytest.param(
            [op("add", "/spec/configuration/MIGRATIONS/allowPostCopy", value=True)],
            "nothing at",
            id="evanphx-paths-are-exact-even-where-keys-are-not",
        ),
        pytest.param(
            [copied("//spec/configuration/migrations/allowAutoConverge")], OUTSIDE, id="evanphx-from-through-the-root"
        ),
        pytest.param([copied("")], OUTSIDE, id="evanphx-copy-of-the-whole-document"),
        pytest.param([op("add", AT, value=[])], "not a map", id="encoding-json-list-for-a-struct"),
        pytest.param([op("add", "/spec/configuration", value=1)], "not a map", id="encoding-json-number-for-a-struct"),
        pytest.param(
            [op("copy", "/spec/elsewhere", **{"from": f"{AT}/network"})],
            "nothing at",
            id="rfc6902-copy-of-an-unset-field-elsewhere",
        ),
        pytest.param([copied(f"{AT}/autoConverge")], "nothing at", id="rfc6902-copy-from-what-is-not-there"),
        pytest.param(
            [copied("/spec/configuration/developerConfiguration/useEmulation")],
            OUTSIDE,
            id="a-copy-from-elsewhere-is-not-judged",
        ),
        pytest.param([copied("/spec/infra/flag", "move")], OUTSIDE, id="a-move-from-elsewhere-is-not-judged"),
        pytest.param([copied("/spec/configuration")], OUTSIDE, id="a-copy-from-around-it-is-not-judged"),
        pytest.param(
            [op("copy", "/spec/configuration", **{"from": "/spec/x"})],
            OUTSIDE,
            id="a-copy-over-what-is-around-it-is-not-judged",
        ),
        pytest.param(
            [
                op("add", "/spec/x", value=False),
                op("copy", "/spec/x", **{"from": "/spec/configuration/obsoleteCPUModels/zz"}),
                copied("/spec/x"),
            ],
            OUTSIDE,
            id="a-copy-in-two-steps-is-not-judged",
        ),
        pytest.param(
            [copied(f"{AT}/parallelMigrationsPerCluster")],
            "is not a boolean",
            id="encoding-json-number-for-a-boolean-after-copy",
        ),
        pytest.param(
            [op("test", f"{AT}/x", value=None)] * (MAX_STEPS + 1), "more than", id="more-operations-than-are-judged"
        ),
    ],
)
def test_what_hyperconverged_fails_on_is_an_error(operations: list[Any], message: str) -> None:
    with pytest.raises(PatchError, match=message):
        result(*operations)


CUSTOMIZE = "/spec/customizeComponents"
PATCHES = [{"resourceType": "Deployment", "resourceName": "virt-api", "type": "json", "patch": "[]"}]


@pytest.mark.parametrize(
    ("operations", "components"),
    [
        pytest.param([], [], id="newkubevirt-hco-renders-none"),
        pytest.param([op("add", f"{CUSTOMIZE}/patches", value=PATCHES)], ["Deployment virt-api"], id="add-of-patches"),
        pytest.param(
            [op("replace", CUSTOMIZE, value={"patches": PATCHES})], ["Deployment virt-api"], id="replace-of-the-parent"
        ),
        pytest.param(
            [op("add", "/spec/CustomizeComponents", value={"PATCHES": PATCHES})],
            ["Deployment virt-api"],
            id="encoding-json-fold-case",
        ),
        pytest.param(
            [op("add", f"{CUSTOMIZE}/flags", value={"api": {"v": "9"}})], ["flags of virt-api"], id="add-of-flags"
        ),
        pytest.param(
            [op("add", f"{CUSTOMIZE}/patches", value=PATCHES), op("remove", f"{CUSTOMIZE}/patches")],
            [],
            id="taken-back",
        ),
        pytest.param(
            [op("add", f"{CUSTOMIZE}/patches", value=[]), op("add", f"{CUSTOMIZE}/patches/-", value=PATCHES[0])],
            ["Deployment virt-api"],
            id="appended",
        ),
        pytest.param([op("add", CUSTOMIZE, value=None)], [], id="null-leaves-a-struct-alone"),
    ],
)
def test_the_annotation_reaches_customize_components(operations: list[Any], components: list[str]) -> None:
    around = {"spec": {"customizeComponents": {"patches": [{"resourceName": "made by an earlier annotation"}]}}}
    assert list(patched(json.dumps(operations), RENDERED, around).components) == components


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        pytest.param([op("add", f"{CUSTOMIZE}/patches/0", value=PATCHES[0])], "nothing at", id="no-patches-to-add-to"),
        pytest.param([op("add", CUSTOMIZE, value=[])], "not a map", id="list-for-a-struct"),
        pytest.param(
            [op("copy", f"{CUSTOMIZE}/patches", **{"from": "/spec/infra"})],
            "outside of customizeComponents",
            id="a-copy-from-elsewhere-is-not-judged",
        ),
    ],
)
def test_what_cannot_be_told_of_customize_components_is_an_error(operations: list[Any], message: str) -> None:
    with pytest.raises(PatchError, match=message):
        result(*operations)


def test_json_escapes_do_not_hide_a_key() -> None:
    written = '[{"op":"add","path":"/spec/configuration/migration\\u0073/allowPostCopy","value":true}]'
    assert patched(written, RENDERED, CLUSTER).migrations == ON


STEPS = st.sampled_from(
    ["spec", "configuration", "Configuration", "migrations", "allowPostCopy", "ALLOWPOSTCOPY", "-", ""]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(STEPS, inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(STEPS, min_size=1, max_size=5).map(lambda steps: "/spec/" + "/".join(steps))
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "replace", "remove", "move", "copy", "test"]),
        "path": PATHS,
        "value": VALUES,
        "from": PATHS,
    }
)


def attempt(written: str) -> Any:
    """The migration configuration, or the text of the error."""
    try:
        return patched(written, RENDERED, CLUSTER).migrations
    except PatchError as error:
        return str(error)


@given(st.lists(OPERATION, max_size=5))
def test_any_patch_gives_a_readable_map_or_an_error(operations: list[Any]) -> None:
    found = attempt(json.dumps(operations))
    assert found == str(found) or isinstance(found.get("allowPostCopy", False), bool)


@given(st.text(max_size=40))
def test_any_text_is_a_patch_or_an_error(written: str) -> None:
    assert attempt(written) != ""
