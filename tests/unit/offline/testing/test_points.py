"""What there is to exercise in a policy, in the order of its file."""

from webhook.offline.testing.points import MAX_SHOWN, Key, Lack, points_of
from webhook.policy.document import GuardPolicy
from webhook.policy.reading import policy
from webhook.source.files import parse

TEXT = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: demo}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: ["*"], resources: [pods], operations: [CREATE]}]}
  variables:
    - name: wide
      expression: >-
        object.a
        || object.b
  validations:
    - expression: EXPRESSION
      message: a fixed text is said whenever it fails
"""


def read(expression: str = "variables.wide", file: str = "policy.yaml") -> GuardPolicy:
    (document,), problems = parse(TEXT.replace("EXPRESSION", expression), file)
    assert problems == []
    return policy(document)


def told(one: GuardPolicy) -> list[str]:
    return [
        f"{point.place.line}:{point.place.column} {point.what} {point.lack}" for point in points_of([one], []).values()
    ]


def test_a_branch_stands_where_it_stands_in_the_file_folded_or_not() -> None:
    assert told(read()) == [
        "4:18 policy 'demo' was never judged",
        "10:9 `object.a` was never true",
        "10:9 `object.a` was never false",
        "11:12 `object.b` was never true",
        "11:12 `object.b` was never false",
        "13:19 validations[0] never passed",
        "13:19 validations[0] never failed",
    ]


def test_a_long_condition_is_cut_where_it_is_told() -> None:
    long = f"object.x == '{'x' * MAX_SHOWN}'"
    (shown,) = {
        line.split(" ", 1)[1] for line in told(read(f"object.y && {long}")) if "object.x" in line and "true" in line
    }
    assert shown == f"`{long[:MAX_SHOWN]}…` was never true"


def test_an_expression_that_cannot_be_taken_apart_counts_as_a_whole() -> None:
    assert [line for line in told(read("object.x &&& object.y")) if line.startswith("13")] == [
        "13:19 validations[0] never passed",
        "13:19 validations[0] never failed",
    ]


def test_a_point_is_the_same_whichever_way_its_file_is_named() -> None:
    assert points_of([read()], []).keys() == points_of([read(file="./policies/../policy.yaml")], []).keys()
    assert points_of([read()], []).keys().isdisjoint(points_of([read(file="other.yaml")], []).keys())


def test_a_document_further_down_a_file_has_points_of_its_own() -> None:
    documents, _ = parse(f"{TEXT}---{TEXT}", "policy.yaml")
    lines = {Key.of(document, (), Lack.JUDGED).line for document in documents}
    assert len(lines) == len(documents) == 2
