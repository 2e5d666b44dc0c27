"""What tests exercise of policies: counted over suites, told with its place."""

# ruff: noqa: E501 - a rule is one line

from pathlib import Path

import pytest
import yaml

from webhook.offline.testing.coverage import Coverage, Share
from webhook.offline.testing.results import Asked, run_all

RULES = {"apiGroups": [""], "apiVersions": ["*"], "resources": ["namespaces"], "operations": ["CREATE"]}
POLICY = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: demo}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: ["*"], resources: [namespaces], operations: [CREATE]}]}
  matchConditions:
    - {name: small, expression: "size(object.metadata.name) < 9"}
  variables:
    - {name: owner, expression: "has(object.metadata.labels) && 'owner' in object.metadata.labels ? 'some' : 'none'"}
  mutations:
    - name: label
      patchType: ApplyConfiguration
      expression: "{'metadata': {'annotations': {'seen': 'yes'}}}"
      warningExpression: "'it was labelled'"
  validations:
    - expression: object.metadata.name.startsWith('a') || variables.owner == 'some'
      messageExpression: "'a namespace needs ' + (request.dryRun ? 'no owner' : 'an owner')"
      remediation: label it
      translations: {ja: {messageExpression: "'所有者が必要です'", remediation: ラベル}}
  auditAnnotations:
    - {key: owner, valueExpression: "variables.owner == 'some' ? 'yes' : ''"}
"""
BINDINGS = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata: {name: everywhere}
spec: {policyName: demo}
---
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata: {name: elsewhere}
spec:
  policyName: demo
  matchResources: {resourceRules: [{apiGroups: [""], apiVersions: ["*"], resources: [namespaces], operations: [DELETE]}]}
"""


def case(name: str, **metadata: object) -> dict[str, object]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}
    expect = {"code": 200} if name.startswith("a") or metadata or len(name) > 8 else {"code": 403}
    return {"name": name, "user": {"username": "u"}, "operation": "CREATE", "object": namespace, "expect": expect}


def covered(root: Path, *cases: dict[str, object], policies: str = POLICY, **spec: object) -> Coverage:
    (root / "demo" / "tests").mkdir(parents=True, exist_ok=True)
    (root / "demo" / "policy.yaml").write_text(policies)
    test = {"apiVersion": "migguard.io/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "t"}}
    (root / "demo" / "tests" / "t.yaml").write_text(yaml.safe_dump({**test, "spec": {**spec, "cases": list(cases)}}))
    results = run_all(Asked(paths=(root,), coverage=True))
    assert results.problems == ()
    assert [str(one) for result in results.cases for one in result.mismatches] == []
    assert results.coverage is not None
    return results.coverage


def told(coverage: Coverage) -> list[str]:
    return [f"{gap.place.line}:{gap.place.column} {gap.what} {gap.lack}" for gap in coverage.told]


def test_what_one_case_leaves_out_is_told_with_its_place(tmp_path: Path) -> None:
    assert told(covered(tmp_path, case("b"))) == [
        "8:33 match condition 'small' was never false",
        "10:34 `has(object.metadata.labels)` was never true",
        "10:65 `'owner' in object.metadata.labels` was never reached",
        "14:19 mutation 'label' never left an object as it is",
        "17:19 validations[0] never passed",
        "17:19 `object.metadata.name.startsWith('a')` was never true",
        "17:59 `variables.owner == 'some'` was never true",
        "18:51 `request.dryRun` was never true",
        "20:46 the message of validations[0] in 'ja' was never said",
        "22:37 audit annotation 'owner' was never set",
        "22:38 `variables.owner == 'some'` was never true",
    ]


def test_each_further_case_closes_gaps_and_all_of_them_close_all(tmp_path: Path) -> None:
    cases = [
        case("b"),
        case("long-name-of-it"),
        case("c", labels={"owner": "x"}, annotations={"seen": "yes"}),
        {**case("d"), "object": case("d", labels={"team": "x"})["object"]},
        {**case("e"), "dryRun": True},
        case("a"),
    ]
    shares = [covered(tmp_path / str(count), *cases[:count]).share for count in range(1, len(cases) + 1)]
    assert [share.exercised for share in shares] == sorted({share.exercised for share in shares})
    spoken = covered(tmp_path / "all", *cases)
    assert told(spoken) == ["20:46 the message of validations[0] in 'ja' was never said"]
    assert spoken.share.percent < 100


def test_a_language_is_exercised_by_a_test_that_speaks_it(tmp_path: Path) -> None:
    missing = told(covered(tmp_path, case("b"), parameters={"language": "ja"}))
    assert "20:46 the message of validations[0] in 'ja' was never said" not in missing
    assert "18:26 the message of validations[0] was never said" in missing


def test_bindings_share_what_their_policy_exercises_and_count_themselves(tmp_path: Path) -> None:
    missing = told(covered(tmp_path, case("b"), policies=f"{POLICY}---{BINDINGS}"))
    assert [line for line in missing if "binding" in line] == ["31:18 binding 'elsewhere' never applied"]


LIMITED = (
    POLICY.split("  matchConditions:", maxsplit=1)[0]
    + """
  variables:
    - {name: big, expression: "object.metadata.?labels.?big.orValue('') == 'yes'"}
    - {name: limit, expression: "variables.big ? 10 : 5"}
  validations:
    - {expression: "!request.dryRun || size(object.metadata.name) <= variables.limit", message: too long}
"""
)


def test_a_condition_in_a_variable_counts_only_where_the_variable_is_read(tmp_path: Path) -> None:
    def named(name: str, allowed: bool, **rest: object) -> dict[str, object]:
        return {**case(name, **rest), "dryRun": "labels" not in rest, "expect": {"allowed": allowed}}

    cases = [named("four", True), named("longer", False), named("not-read", True, labels={"big": "yes"})]
    assert told(covered(tmp_path, *cases, policies=LIMITED)) == ["10:34 `variables.big` was never true"]
    read = {**named("so-long", True, labels={"big": "yes"}), "dryRun": True}
    assert told(covered(tmp_path, *cases, read, policies=LIMITED)) == []


def test_what_a_variable_that_is_not_read_reads_does_not_count_either(tmp_path: Path) -> None:
    one = {**case("not-read"), "expect": {"allowed": True}}
    assert told(covered(tmp_path, one, policies=LIMITED)) == [
        "10:34 `variables.big` was never reached",
        "12:20 validations[0] never failed",
        "12:22 `request.dryRun` was never true",
        "12:40 `size(object.metadata.name) <= variables.limit` was never reached",
    ]


def test_a_policy_that_was_never_judged_is_one_gap_to_tell_and_all_of_it_to_count(tmp_path: Path) -> None:
    coverage = covered(tmp_path, case("long-name-of-it"))
    assert told(coverage) == ["4:18 policy 'demo' was never judged"]
    assert coverage.share.exercised == 1  # the match condition was false
    assert coverage.policies == {"demo": coverage.share}


@pytest.mark.parametrize(
    ("share", "percent"),
    [(Share(0, 0), 100.0), (Share(1, 3), 33.3), (Share(1999, 2000), 99.9), (Share(7, 7), 100.0), (Share(0, 9), 0.0)],
)
def test_a_share_is_full_only_if_nothing_is_missing(share: Share, percent: float) -> None:
    assert share.percent == percent
    assert str(share) == f"{percent} %"
