"""Which fields an expression reads: all of them, in the narrowest way that can be told."""

# ruff: noqa: E501 - a case is one line

import pytest

from tests.support.engine import RESOURCE, compiled, judging, mutating, policy
from webhook.model.objects import GroupVersionResource
from webhook.policy import fieldsread
from webhook.policy.fieldsread import FieldsRead


def dotted(paths: frozenset[tuple[str, ...]]) -> list[str]:
    return sorted(".".join(path) for path in paths)


def read(expression: str, **variables: str) -> FieldsRead:
    """What a validation reads; ``variables`` are declared before it, in order."""
    declared = [{"name": name, "expression": text} for name, text in variables.items()]
    (one,) = compiled(judging(expression, variables=declared))
    return fieldsread.of_expressions(fieldsread.judging(one), one.for_validations)


@pytest.mark.parametrize(
    ("expression", "whole", "present"),
    [
        pytest.param("object.spec.vmiName == 'db'", ["object.spec.vmiName"], [], id="field"),
        pytest.param("object['spec']['a.b/c'] == 1", ["object.spec.a.b/c"], [], id="quoted-key"),
        pytest.param("object.spec[object.kind] == 1", ["object.kind", "object.spec"], [], id="computed-key"),
        pytest.param("has(object.spec.sendTo)", [], ["object.spec.sendTo"], id="has"),
        pytest.param("type(object.spec) == map", [], ["object.spec"], id="type"),
        pytest.param("object.spec.x != null", [], ["object.spec.x"], id="null"),
        pytest.param("'k' in object.metadata.labels", [], ["object.metadata.labels.k"], id="literal-in"),
        pytest.param("object.kind in object.spec.kinds", ["object.kind", "object.spec.kinds"], [], id="computed-in"),
        pytest.param("object.?spec.?x.orValue(1) == 1", ["object.spec.x"], [], id="optional"),
        pytest.param("object.?spec.?x.hasValue()", [], ["object.spec.x"], id="has-value"),
        pytest.param("object == oldObject", ["object", "oldObject"], [], id="as-a-whole"),
        pytest.param("size(object.spec) == 1", ["object.spec"], [], id="size"),
        pytest.param(
            "object.spec.volumes.exists(v, has(v.pvc) && v.name == 'a')",
            ["object.spec.volumes.[].name"],
            ["object.spec.volumes", "object.spec.volumes.[]", "object.spec.volumes.[].pvc"],
            id="items-of-a-list",
        ),
        pytest.param(
            "object.spec.volumes.filter(v, v.a).all(w, w.b)",
            ["object.spec.volumes.[].a", "object.spec.volumes.[].b"],
            ["object.spec.volumes", "object.spec.volumes.[]"],
            id="filtered-list",
        ),
        pytest.param(
            "['a', 'b'].all(key, key in object.metadata.labels)",
            [],
            ["object.metadata.labels.a", "object.metadata.labels.b"],
            id="keys-of-a-literal-list",
        ),
        pytest.param("object.metadata.annotations.exists(k, k == 'a')", ["object.metadata.annotations.[]"], ["object.metadata.annotations", "object.metadata.annotations.[]"], id="keys-of-a-mapping"),
        pytest.param("object.metadata.annotations.exists(k, v, v == 'a')", ["object.metadata.annotations", "object.metadata.annotations.[]"], ["object.metadata.annotations", "object.metadata.annotations.[]"], id="values-of-a-mapping"),
        pytest.param("cel.bind(s, object.spec, s.x == 1)", ["object.spec.x"], [], id="bind"),
        pytest.param("(object.a ? object.b : object.c).d == 1", ["object.a", "object.b.d", "object.c.d"], [], id="either"),
        pytest.param("dyn(object.spec).x == 1", ["object.spec.x"], [], id="dyn"),
        pytest.param("requester.canMigrate", [], [], id="only-facts"),
        pytest.param("request.name == 'object.spec'", ["request.name"], [], id="a-name-in-a-text"),
    ],
)  # fmt: skip
def test_what_an_expression_reads(expression, whole, present):
    found = read(expression)
    assert dotted(found.whole) == whole
    assert dotted(found.present) == present


def test_fields_are_followed_through_variables():
    found = read("variables.notes['k'] == 'v'", notes="has(object.metadata) ? object.metadata.annotations : {}")
    assert dotted(found.whole) == ["object.metadata.annotations.k"]
    assert dotted(found.present) == ["object.metadata"]


def test_a_variable_that_reads_nothing_itself_still_counts_for_those_behind_it():
    found = read("variables.b", a="object.spec.x == 1", b="variables.a && true")
    assert dotted(found.whole) == ["object.spec.x"]


def test_objects_of_a_resource_have_the_fields_of_the_policies_that_may_cover_it():
    vms = {"apiGroups": ["kubevirt.io"], "apiVersions": ["*"], "resources": ["virtualmachines/*"], "operations": ["*"]}
    fields = fieldsread.of_objects(
        compiled(
            judging("object.spec.a == oldObject.spec.b", "everywhere"),
            judging("object.spec.vm", "vms", matchConstraints={"resourceRules": [vms]}),
        )
    )
    assert dotted(fields(RESOURCE).whole) == ["spec.a", "spec.b"]
    assert dotted(fields(GroupVersionResource("kubevirt.io", "v1", "virtualmachines")).whole) == [
        "spec.a",
        "spec.b",
        "spec.vm",
    ]


def test_an_object_that_is_gone_through_as_a_whole_is_kept_with_all_its_parts():
    fields = fieldsread.of_objects(compiled(judging("object != oldObject")))
    assert dotted(fields(RESOURCE).whole) == ["metadata", "spec", "status"]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(policy(matchConditions=[{"name": "c", "expression": "object.spec.x == 1"}]), id="condition"),
        pytest.param(mutating("{'metadata': {'labels': {'x': string(object.spec.x)}}}"), id="mutation"),
        pytest.param(policy(auditAnnotations=[{"key": "k", "valueExpression": "string(object.spec.x)"}]), id="annotation"),
        pytest.param(
            policy(validations=[{"expression": "false", "messageExpression": "string(object.spec.x)"}]), id="message"
        ),
    ],
)  # fmt: skip
def test_every_part_of_a_policy_counts(document):
    (one,) = compiled(document)
    assert dotted(fieldsread.of_policy(one).whole) == ["object.spec.x"]
