"""Whether a clone or restore leaves a critical VM, or its copy, without the flag. Source: domain.md e15."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import CRITICAL, context, namespace, request, vm, vmi
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.criticalcopy import MAX_FILTERS, Loss
from webhook.kubevirt.jsonpatch import MAX_STEPS
from webhook.model.facts import FactContext, WatchedResource
from webhook.model.objects import GroupVersionResource
from webhook.model.request import Operation

Json = dict[str, Any]
CLONE = WatchedResource(
    GroupVersionResource("clone.kubevirt.io", "v1beta1", "virtualmachineclones"),
    "VirtualMachineClone",
    namespaced=True,
    keep=(),
)
RESTORE = WatchedResource(
    GroupVersionResource("snapshot.kubevirt.io", "v1beta1", "virtualmachinerestores"),
    "VirtualMachineRestore",
    namespaced=True,
    keep=(),
)
TEMPLATE = vm(template_labels={**CRITICAL, "app": "db"})
POINTER = "/spec/template/metadata/labels/migguard.io~1critical"


def ask(found: FactContext) -> tuple[str, str]:
    loss, of = FACTS["copy.loss"].resolve(found), FACTS["copy.of"].resolve(found)
    assert isinstance(loss, str)
    assert isinstance(of, str)
    return loss, of


def cloned(*objects: Json, filters: Any = None, kind: str = "VirtualMachine", version: str = "", **spec: Any) -> str:
    """The loss that a clone of prod/db brings."""
    source = {"apiGroup": "kubevirt.io", "kind": kind, "name": "db"}
    template = {"template": {"labelFilters": filters}}
    clone = {"metadata": {"name": "copy", "namespace": "prod"}, "spec": {"source": source, **template, **spec}}
    loss, of = ask(context(request(CLONE, Operation.CREATE, new=clone, version=version), *objects))
    assert of == ("prod/db" if loss else "")
    return loss


@pytest.mark.parametrize(
    ("filters", "loss"),
    [
        pytest.param(None, Loss.NONE, id="no filters keep all"),
        pytest.param(["*"], Loss.NONE, id="wildcard alone"),
        pytest.param([], Loss.FILTERS, id="an empty list keeps none"),
        pytest.param(["app"], Loss.FILTERS, id="another label"),
        pytest.param(["migguard.io/critical"], Loss.NONE, id="the label itself"),
        pytest.param(["migguard.io/*"], Loss.NONE, id="its prefix"),
        pytest.param(["critical"], Loss.NONE, id="MatchString: found anywhere in the key"),
        pytest.param(["migguardXio/critical"], Loss.FILTERS, id="a dot is not any text"),
        pytest.param(["migguard.i."], Loss.NONE, id="MatchString: a dot is any character"),
        pytest.param(["!migguard.io/*"], Loss.FILTERS, id="an exclusion alone includes nothing"),
        pytest.param(["*", "!migguard.io/*"], Loss.FILTERS, id="exclusion wins"),
        pytest.param(["!migguard.io/critical", "*"], Loss.FILTERS, id="exclusion wins in any order"),
        pytest.param(["*", "!app"], Loss.NONE, id="another label excluded"),
        pytest.param(["*", "!*"], Loss.NONE, id="an asterisk alone is no regular expression, so nothing is excluded"),
        pytest.param(["*", "!"], Loss.FILTERS, id="not plain: an empty exclusion, which KubeVirt refuses"),
        pytest.param(["*", "!mig(guard)+"], Loss.FILTERS, id="not plain: excluded at the worst"),
        pytest.param(["(.+)"], Loss.FILTERS, id="not plain: not included at the worst"),
        pytest.param(["*", "!(a+)+$"], Loss.FILTERS, id="a pattern that would take for ever is not tried"),
        pytest.param("*", Loss.NONE, id="filters that are no list"),
        pytest.param([None, 7], Loss.FILTERS, id="filters that are no texts"),
    ],
)
@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_vm_target_add_remove_patches_from_filter(filters: Any, loss: Loss, version: str) -> None:
    """Source: KubeVirt pkg/virt-controller/watch/clone/vm-target.go addRemovePatchesFromFilter."""
    assert cloned(TEMPLATE, filters=filters, version=version) == loss


def test_filters_of_the_vms_own_labels_do_not_matter() -> None:
    assert cloned(TEMPLATE, labelFilters=["!migguard.io/*"]) == Loss.NONE


@given(st.lists(st.from_regex(r"!?[a-z./]{1,6}\*?", fullmatch=True) | st.just("*"), max_size=4))
def test_plain_filters_are_read_as_regular_expressions(filters: list[str]) -> None:
    """The rules of addRemovePatchesFromFilter, written down once more."""
    key = "migguard.io/critical"
    regular = [".*" if one == "*" else one for one in filters if not one.startswith("!")]
    negation = [one[1:] for one in filters if one.startswith("!")]
    included = any(re.search(one, key) for one in regular)
    excluded = any(re.search(one, key) for one in negation)
    assert (cloned(TEMPLATE, filters=filters) == Loss.NONE) is (included and not excluded)


def patch(op: str, path: str, **more: Any) -> str:
    return json.dumps({"op": op, "path": path, **more})


@pytest.mark.parametrize(
    ("patches", "loss"),
    [
        pytest.param([patch("remove", POINTER)], Loss.PATCHES, id="remove"),
        pytest.param([patch("replace", POINTER, value="false")], Loss.PATCHES, id="another value"),
        pytest.param([patch("replace", POINTER, value="true")], Loss.NONE, id="the same value"),
        pytest.param([patch("remove", "/spec/template/metadata/labels")], Loss.PATCHES, id="all labels"),
        pytest.param([patch("replace", "/spec/template", value={"spec": {}})], Loss.PATCHES, id="the whole template"),
        pytest.param(
            [patch("replace", "/spec/template/metadata", value={"labels": CRITICAL})], Loss.NONE, id="a parent with it"
        ),
        pytest.param([patch("remove", POINTER), patch("add", POINTER, value="true")], Loss.NONE, id="put back"),
        pytest.param(
            [patch("move", "/spec/template/metadata/labels/x", **{"from": POINTER})], Loss.PATCHES, id="moved"
        ),
        pytest.param([patch("copy", POINTER, **{"from": "/spec/x"})], Loss.PATCHES, id="copied from what is not known"),
        pytest.param([patch("replace", "/spec/running", value=True)], Loss.NONE, id="elsewhere"),
        pytest.param([patch("remove", "/metadata/labels/a")], Loss.NONE, id="labels of the VM itself"),
        pytest.param(["not json"], Loss.PATCHES, id="what cannot be read"),
        pytest.param([None, 7], Loss.PATCHES, id="what is no text"),
        pytest.param([], Loss.NONE, id="none"),
        pytest.param("x", Loss.NONE, id="patches that are no list"),
        pytest.param([patch("remove", "/spec/template/metadata/labels/app")], Loss.NONE, id="another label"),
        pytest.param(
            [patch("test", "/spec/template/metadata/labels/app", value="x")], Loss.NONE, id="a test elsewhere"
        ),
        pytest.param([patch("copy", "/spec/x", **{"from": POINTER})], Loss.NONE, id="copied elsewhere it stays"),
        pytest.param(
            [patch("move", "/metadata/labels", **{"from": "/spec/template/metadata/labels"})],
            Loss.PATCHES,
            id="moved with all labels",
        ),
        pytest.param([patch("test", POINTER, value="true")], Loss.NONE, id="a test that holds"),
        pytest.param([patch("test", POINTER, value="false")], Loss.PATCHES, id="a test that fails"),
        pytest.param(["[" * 500 + "]" * 500], Loss.PATCHES, id="nested too deeply"),
        pytest.param(
            ['{"op": "add", "path": "/spec/template/x", "value": ' + "[" * 900 + "]" * 900 + "}"],
            Loss.NONE,
            id="nested deeply elsewhere",
        ),
    ],
)
def test_restore_patch_vm(patches: Any, loss: Loss) -> None:
    """Source: KubeVirt pkg/storage/snapshot/restore.go patchVM, after the patches of the filters."""
    assert cloned(TEMPLATE, patches=patches) == loss


DEEP = '{"op": "add", "path": "/spec/template", "value": ' + "[" * 900 + "]" * 900 + "}"


@pytest.mark.parametrize(
    ("spec", "loss"),
    [
        pytest.param({"filters": ["*"] * MAX_FILTERS}, Loss.NONE, id="as many filters as are looked at"),
        pytest.param({"filters": ["*"] * (MAX_FILTERS + 1)}, Loss.FILTERS, id="more filters"),
        pytest.param({"patches": [patch("test", POINTER, value="true")] * MAX_STEPS}, Loss.NONE, id="as many patches"),
        pytest.param(
            {"patches": [patch("test", POINTER, value="true")] * (MAX_STEPS + 1)}, Loss.PATCHES, id="more patches"
        ),
        pytest.param({"patches": [DEEP]}, Loss.PATCHES, id="a patch that is nested deeply"),
        pytest.param(
            {"patches": [patch("copy", f"{POINTER}x", **{"from": "/spec"})] * MAX_STEPS}, Loss.NONE, id="copies of all"
        ),
    ],
)
def test_of_a_huge_clone_the_worst_is_assumed(spec: Json, loss: Loss) -> None:
    assert cloned(TEMPLATE, **spec) == loss


def test_a_huge_clone_is_judged_by_the_one_label_and_no_pattern_of_it_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """15 kB of filters, times a thousand labels of the VM, once took half a minute."""
    monkeypatch.setattr(re, "search", None)
    monkeypatch.setattr(re, "compile", None)
    large = vm(template_labels={**CRITICAL, **{f"l{number}": "x" for number in range(1000)}})
    looked_at: list[str] = []

    class Filter(str):
        """A filter that notes that it was looked at."""

        __slots__ = ()

        def startswith(self, *arguments: Any) -> bool:
            looked_at.append(self)
            return super().startswith(*arguments)

    few = [Filter(f"!z{number}") for number in range(MAX_FILTERS - 1)]
    assert cloned(large, filters=["*", *few]) == Loss.NONE
    assert len(looked_at) == 2 * len(few)
    looked_at.clear()
    assert cloned(large, filters=["*", *few, *few]) == Loss.FILTERS
    assert looked_at == []


def test_patches_may_flag_what_the_filters_left_out() -> None:
    assert cloned(TEMPLATE, filters=["app"], patches=[patch("add", POINTER, value="true")]) == Loss.NONE


@pytest.mark.parametrize(
    ("objects", "loss"),
    [
        pytest.param([TEMPLATE, namespace(labels=CRITICAL)], Loss.NONE, id="the namespace covers the copy"),
        pytest.param([vm(), vmi(labels=CRITICAL)], Loss.VMI_ONLY, id="flag of the VMI alone"),
        pytest.param([vm(), vmi(labels=CRITICAL, phase="Failed")], Loss.NONE, id="flag of a VMI that has ended"),
        pytest.param([vm(), vmi()], Loss.NONE, id="not critical"),
        pytest.param([], Loss.NONE, id="no such VM"),
    ],
)
def test_a_clone_that_keeps_the_templates_labels(objects: list[Json], loss: Loss) -> None:
    assert cloned(*objects, filters=["*"] if loss else ["app"]) == loss


@pytest.mark.parametrize(
    ("filters", "loss"),
    [pytest.param(["*"], Loss.NONE, id="kept"), pytest.param(["app"], Loss.SNAPSHOT_FILTERS, id="left out")],
)
def test_of_a_snapshot_it_is_said_what_the_filters_would_do(filters: list[str], loss: Loss) -> None:
    assert cloned(filters=filters, kind="VirtualMachineSnapshot") == loss


def restored(*objects: Json, target: str = "db") -> tuple[str, str]:
    spec = {"target": {"kind": "VirtualMachine", "name": target}, "virtualMachineSnapshotName": "yesterday"}
    asked = request(RESTORE, Operation.CREATE, new={"metadata": {"name": "r", "namespace": "prod"}, "spec": spec})
    return ask(context(asked, *objects))


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        pytest.param([TEMPLATE], (Loss.RESTORE, "prod/db"), id="generateRestoredVMSpec: the whole spec is put back"),
        pytest.param([TEMPLATE, namespace(labels=CRITICAL)], (Loss.NONE, ""), id="the namespace covers it"),
        pytest.param([vm()], (Loss.NONE, ""), id="not critical"),
        pytest.param([], (Loss.NONE, ""), id="a VM that is made by it"),
    ],
)
def test_a_restore_onto_a_critical_vm(objects: list[Json], found: tuple[str, str]) -> None:
    assert restored(*objects) == found


@pytest.mark.parametrize("junk", [None, "x", 7, [], {"source": None}, {"source": {"kind": 3, "name": []}}])
def test_a_malformed_clone_copies_nothing_that_is_known(junk: Any) -> None:
    asked = request(CLONE, Operation.CREATE, new={"metadata": {"name": "copy", "namespace": "prod"}, "spec": junk})
    assert ask(context(asked, TEMPLATE))[0] == Loss.NONE


def test_only_the_creation_counts() -> None:
    clone = {"metadata": {"name": "copy", "namespace": "prod"}, "spec": {"template": {"labelFilters": []}}}
    asked = request(CLONE, Operation.CREATE, new=clone)
    assert ask(context(replace(asked, operation=Operation.UPDATE, old_object=clone), TEMPLATE))[0] == Loss.NONE
    assert ask(context(replace(asked, subresource="status"), TEMPLATE))[0] == Loss.NONE


def test_without_a_flag_nothing_is_lost() -> None:
    clone = {"spec": {"source": {"kind": "VirtualMachineSnapshot"}, "template": {"labelFilters": []}}}
    asked = request(CLONE, Operation.CREATE, new={"metadata": {"name": "copy", "namespace": "prod"}, **clone})
    assert ask(context(asked, parameters={"critical": {}}))[0] == Loss.NONE
