"""HyperConverged's jsonpatch annotation. Source: HCO controllers/operands/operand.go; Go encoding/json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kubevirt.jsonpatch import PatchError
from webhook.kubevirt.patchannotation import MAX_STEPS, patched_migrations

RENDERED = {"allowAutoConverge": True, "allowPostCopy": False, "parallelMigrationsPerCluster": 5}
AT = "/spec/configuration/migrations"
CLUSTER = {"spec": {"configuration": {"developerConfiguration": {"featureGates": ["A"], "useEmulation": True}}}}


def result(*operations: dict[str, Any], around: dict[str, Any] = CLUSTER) -> Any:
    return patched_migrations(json.dumps(operations), RENDERED, around)


def op(kind: str, path: str, **rest: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **rest}


def copied(source: str, kind: str = "copy") -> dict[str, Any]:
    return op(kind, f"{AT}/allowPostCopy", **{"from": source})


ON = {**RENDERED, "allowPostCopy": True}
OUTSIDE = "takes its value from outside of the migration configuration"


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        pytest.param([], RENDERED, id="no operation"),
        pytest.param([op("add", f"{AT}/allowPostCopy", value=True)], ON, id="add"),
        pytest.param([op("replace", f"{AT}/allowPostCopy", value=True)], ON, id="replace"),
        pytest.param([op("remove", f"{AT}/allowPostCopy")], RENDERED, id="remove takes nothing away"),
        pytest.param([op("remove", AT)], RENDERED, id="nor does it of the whole map"),
        pytest.param([op("remove", "/spec/configuration")], RENDERED, id="nor of what is around it"),
        pytest.param([op("replace", AT, value={"allowPostCopy": True})], ON, id="replace of the map merges"),
        pytest.param([op("add", AT, value={})], RENDERED, id="an empty map clears nothing"),
        pytest.param([op("add", AT, value=None)], {}, id="null clears the map"),
        pytest.param(
            [op("replace", "/spec/configuration", value={"migrations": {"allowPostCopy": True}})],
            ON,
            id="parent merges",
        ),
        pytest.param([op("add", "/spec/configuration", value=None)], RENDERED, id="null leaves a struct alone"),
        pytest.param(
            [op("add", f"{AT}/allowAutoConverge", value=None)],
            {"allowPostCopy": False, "parallelMigrationsPerCluster": 5},
            id="null clears a field",
        ),
        pytest.param([op("add", f"{AT}/AllowPostCopy", value=True)], ON, id="another case of the key"),
        pytest.param([op("add", f"{AT}/allowPo\u017ftCopy", value=True)], ON, id="a long s folds to s"),
        pytest.param(
            [op("add", "/spec/configuration/Migrations", value={"ALLOWPOSTCOPY": True})],
            ON,
            id="another case of the map",
        ),
        pytest.param(
            [op("add", "/spec/CONFIGURATION", value={"migrations": {"allowPostCopy": True}})],
            ON,
            id="of what is around",
        ),
        pytest.param(
            [op("add", f"{AT}/allowPOSTcopy", value=True), op("add", f"{AT}/allowPostcopy", value=False)],
            RENDERED,
            id="of several the last wins",
        ),
        pytest.param([copied(f"{AT}/allowAutoConverge")], ON, id="copy from another field"),
        pytest.param([copied(f"{AT}/allowAutoConverge", "move")], ON, id="move keeps the source's value"),
        pytest.param(
            [op("test", f"{AT}/allowPostCopy", value=False), op("replace", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="test that holds",
        ),
        pytest.param(
            [op("add", "/spec/configuration/developerConfiguration/featureGates/-", value="B")],
            RENDERED,
            id="elsewhere",
        ),
        pytest.param(
            [op("replace", "/spec/infra/replicas", value=1)], RENDERED, id="what we cannot know is passed over"
        ),
        pytest.param(
            [op("test", "/spec/infra/replicas", value=1), op("add", f"{AT}/allowPostCopy", value=True)],
            ON,
            id="a test we cannot judge is taken to hold",
        ),
        pytest.param([op("add", f"{AT}/network", value="fast")], {**RENDERED, "network": "fast"}, id="a further field"),
        pytest.param([op("add", f"{AT}/unheardOf", value=1)], RENDERED, id="unknown field"),
    ],
)
def test_the_patch_means_what_it_means_to_hyperconverged(operations: list[Any], expected: dict[str, Any]) -> None:
    assert result(*operations) == expected


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        pytest.param([op("add", "/spec", value={})], "outside /spec/", id="the whole spec"),
        pytest.param([op("add", "/metadata/labels", value={})], "outside /spec/", id="metadata"),
        pytest.param([op("test", f"{AT}/allowPostCopy", value=True)], "another than", id="test that fails"),
        pytest.param([op("replace", f"{AT}/network", value="x")], "nothing at", id="replace of an unset field"),
        pytest.param([op("remove", f"{AT}/network")], "nothing at", id="remove of an unset field"),
        pytest.param([op("add", f"{AT}/allowPostCopy", value="true")], "is not a boolean", id="string for a boolean"),
        pytest.param([op("add", f"{AT}/progressTimeout", value=1.5)], "is not a whole number", id="fraction"),
        pytest.param([op("add", f"{AT}/bandwidthPerMigration", value="64MB")], "is not a quantity", id="no quantity"),
        pytest.param([op("add", f"{AT}/parallelMigrationsPerCluster", value=-1)], "whole number", id="negative"),
        pytest.param([op("add", AT, value=[])], "not a map", id="list for the map"),
        pytest.param([op("add", "/spec/configuration", value=1)], "not a map", id="number for what is around"),
        pytest.param(
            [op("copy", "/spec/elsewhere", **{"from": f"{AT}/network"})],
            "nothing at",
            id="copy of an unset field elsewhere",
        ),
        pytest.param([copied(f"{AT}/autoConverge")], "nothing at", id="copy from what is not there"),
        pytest.param(
            [copied("/spec/configuration/developerConfiguration/useEmulation")], OUTSIDE, id="copy from elsewhere"
        ),
        pytest.param([copied("/spec/infra/flag", "move")], OUTSIDE, id="move from elsewhere"),
        pytest.param([copied("/spec/configuration")], OUTSIDE, id="copy from around it"),
        pytest.param(
            [op("copy", "/spec/configuration", **{"from": "/spec/x"})], OUTSIDE, id="copy over what is around it"
        ),
        pytest.param(
            [
                op("add", "/spec/x", value=False),
                op("copy", "/spec/x", **{"from": "/spec/configuration/obsoleteCPUModels/zz"}),
                copied("/spec/x"),
            ],
            OUTSIDE,
            id="copy in two steps, of what the same write adds",
        ),
        pytest.param([copied(f"{AT}/parallelMigrationsPerCluster")], "is not a boolean", id="copy of a number"),
        pytest.param([op("test", f"{AT}/x", value=None)] * (MAX_STEPS + 1), "more than", id="very many operations"),
    ],
)
def test_what_hyperconverged_fails_on_is_an_error(operations: list[Any], message: str) -> None:
    with pytest.raises(PatchError, match=message):
        result(*operations)


def test_json_escapes_do_not_hide_a_key() -> None:
    written = '[{"op":"add","path":"/spec/configuration/migration\\u0073/allowPostCopy","value":true}]'
    assert patched_migrations(written, RENDERED, CLUSTER) == ON


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
        return patched_migrations(written, RENDERED, CLUSTER)
    except PatchError as error:
        return str(error)


@given(st.lists(OPERATION, max_size=5))
def test_any_patch_gives_a_readable_map_or_an_error(operations: list[Any]) -> None:
    found = attempt(json.dumps(operations))
    assert found == str(found) or isinstance(found.get("allowPostCopy", False), bool)


@given(st.text(max_size=40))
def test_any_text_is_a_patch_or_an_error(written: str) -> None:
    assert attempt(written) != ""
