"""The mutation script: its operators, the parts of a policy it leaves out, and a run on real policies."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.mutation import __main__ as command
from tests.mutation import equivalents, report
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.operators import SHOWN, changes, shown
from tests.mutation.trial import Result, Trial
from webhook.errors import UsageError
from webhook.policy import reading
from webhook.policy.celsyntax import parse
from webhook.policy.document import GuardPolicy
from webhook.source.files import parse as documents

_EXPRESSIONS = {
    "negation": ("object.spec.paused", True, ["!(object.spec.paused)"]),
    "double-negation": ("!object.spec.paused", False, ["object.spec.paused"]),
    "not-a-condition": ("object.spec.name", False, []),
    "conjunction": ("a && b", False, ["!(a && b)", "b", "a", "(a || b)", "!(a) && b", "a && !(b)"]),
    "disjunction": ("a || b", False, ["!(a || b)", "b", "a", "(a && b)", "!(a) || b", "a || !(b)"]),
    "chain": (
        "a && b && c",
        False,
        ["!(a && b && c)", "b && c", "a && c", "a && b", "((a && b) || c)", "(a || b) && c", "!(a) && b && c",
         "a && !(b) && c", "a && b && !(c)"],
    ),
    "less": ("a < 1", False, ["!(a < 1)", "a <= 1"]),
    "less-or-equal": ("a<=1", False, ["!(a<=1)", "a<1"]),
    "greater": ("a > 1", False, ["!(a > 1)", "a >= 1"]),
    "greater-or-equal": ("(a) >= (1)", False, ["!((a) >= (1))", "(a) > (1)"]),
    "equal": ("a == 'x == y'", False, ["a != 'x == y'"]),
    "unequal": ("'!=' != a", False, ["'!=' == a"]),
    "conditional": ("(c ? x : y) + 1", False, ["(x) + 1", "(y) + 1", "(!(c) ? x : y) + 1"]),
    "boolean-conditional": (
        "c ? x : y", True, ["!(c ? x : y)", "x", "y", "!(c) ? x : y", "c ? !(x) : y", "c ? x : !(y)"],
    ),
    "all": ("xs.all(x, x.ok)", False, ["!(xs.all(x, x.ok))", "xs.exists(x, x.ok)", "xs.all(x, !(x.ok))"]),
    "exists": ("xs.exists(x, x.ok)", False, ["!(xs.exists(x, x.ok))", "xs.all(x, x.ok)", "xs.exists(x, !(x.ok))"]),
    "exists-with-two-names": (
        "m.exists(k, v, v)", False, ["!(m.exists(k, v, v))", "m.all(k, v, v)", "m.exists(k, v, !(v))"],
    ),
    "filter": ("xs.filter(x, x.ok)", False, ["xs", "xs.filter(x, !(x.ok))"]),
    "map": ("xs.map(x, x.name)", False, []),
    "list-of-names": ("a in ['x', \"y\"]", False, ["!(a in ['x', \"y\"])", "a in [\"y\"]", "a in ['x']"]),
    "list-of-others": ("[a, b]", False, []),
    "looser-parts-keep-together": (
        "(a || b) && c", False,
        ["!((a || b) && c)", "c", "(a || b)", "((a || b) || c)", "(!(a || b)) && c", "(b) && c", "(a) && c",
         "((a && b)) && c", "(!(a) || b) && c", "(a || !(b)) && c", "(a || b) && !(c)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "boolean", "expected"), _EXPRESSIONS.values(), ids=_EXPRESSIONS)
def test_every_change_of_an_expression_is_made_once(text: str, boolean: bool, expected: list[str]) -> None:
    made = [change.text for change in changes(text, boolean=boolean)]

    assert [_compact(one) for one in made] == [_compact(one) for one in expected]
    assert all(_shape(one) != _shape(text) for one in made)


def test_a_change_knows_what_it_is_where_it_stands_and_which_case_would_notice() -> None:
    text = "vmim.final || vmim.cancelled"
    dropped = next(one for one in changes(text) if one.what == "drop `vmim.cancelled`")

    assert text[dropped.offset :] == "vmim.cancelled"
    assert dropped.wanted == "a case in which `vmim.cancelled` is true and what stands beside it is false"


def test_long_parts_are_shown_without_their_middle_and_on_one_line() -> None:
    assert shown("a\n  == b") == "a == b"
    assert shown("a" * SHOWN + "b" * SHOWN) == "a" * (SHOWN // 2) + " … " + "b" * (SHOWN // 2)


_POLICY = """\
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: sample}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: ["*"], resources: [pods, nodes], operations: [CREATE, UPDATE]}
      - {apiGroups: [apps], apiVersions: ["*"], resources: [deployments], operations: [CREATE]}
    excludeResourceRules:
      - {apiGroups: [""], apiVersions: ["*"], resources: [nodes], operations: [UPDATE]}
    objectSelector: {matchLabels: {a: b}}
  origins: [User, VirtAPI]
  matchConditions:
    - {name: labelled, expression: object.labelled}
  variables:
    - {name: big, expression: object.size > 1}
  validations:
    - expression: variables.big
      messageExpression: "'too small: ' + (object.name == '' ? '?' : object.name)"
      remediation: make it larger
      translations: {ja: {message: 小さい}}
  mutations:
    - {name: size, patchType: JSONPatch, expression: "[]", warning: changed}
  auditAnnotations:
    - {key: size, valueExpression: object.size}
"""


def test_the_parts_of_a_policy_are_left_out_one_at_a_time() -> None:
    assert [f"{one.place}: {one.what}" for one in mutants_of(_policy())] == [
        "matchConstraints.resourceRules[0].resources: drop pods",
        "matchConstraints.resourceRules[0].resources: drop nodes",
        "matchConstraints.resourceRules[0].operations: drop CREATE",
        "matchConstraints.resourceRules[0].operations: drop UPDATE",
        "matchConstraints.resourceRules[1]: drop the rule",
        "matchConstraints.excludeResourceRules[0]: drop the rule",
        "matchConstraints.objectSelector: drop it",
        "origins: drop User",
        "origins: drop VirtAPI",
        "origins: drop all, so that every origin is judged",
        "matchConditions.labelled: drop the condition",
        "matchConditions.labelled: negate `object.labelled`",
        "variables.big: negate `object.size > 1`",
        "variables.big: `object.size > 1` -> `>=`",
        "validations[0]: drop the validation",
        "validations[0].expression: negate `variables.big`",
        "validations[0].messageExpression: say nothing",
        "validations[0].messageExpression: `object.name == '' ? …` is always true",
        "validations[0].messageExpression: `object.name == '' ? …` is always false",
        "validations[0].messageExpression: `object.name == ''` -> `!=`",
        "validations[0].ja.message: say nothing",
        "validations[0].remediation: say nothing",
        "mutations.size: drop the mutation",
        "mutations.size.warning: say nothing",
        "auditAnnotations.size: drop the annotation",
    ]


def test_a_mutant_changes_its_part_and_nothing_else() -> None:
    policy = _policy()
    mutants = {f"{one.place}: {one.what}": one for one in mutants_of(policy)}

    other_size = mutants["variables.big: `object.size > 1` -> `>=`"].applied(policy.document)
    every_origin = mutants["origins: drop all, so that every origin is judged"].applied(policy.document)

    assert other_size.variables[0].expression.text == "object.size >= 1"
    assert (other_size.match, other_size.validations) == (policy.match, policy.validations)
    assert every_origin.origins == frozenset()
    assert policy.origins == frozenset({"User", "VirtAPI"})


def test_a_mutant_shows_where_it_stands_in_the_file() -> None:
    places = {f"{one.place}: {one.what}": one.where for one in mutants_of(_policy())}

    assert places["variables.big: `object.size > 1` -> `>=`"] == "sample.yaml:16:31"
    assert places["origins: drop VirtAPI"] == "sample.yaml:12:19"


def test_mutants_that_would_have_the_same_name_are_numbered() -> None:
    text = _POLICY.replace("expression: object.size > 1", "expression: a && (b || a && c)")

    names = [one.what for one in mutants_of(_policy(text)) if one.place == "variables.big"]

    assert {"drop `a`", "drop `a` #2"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["freeze-window", "migration-network"])
def test_the_tests_of_a_built_in_policy_notice_every_change_of_it(name: str) -> None:
    results = Trial(command.POLICIES / name).results()

    assert len(results) >= 9
    assert [one.mutant.name for one in report.survivors(results, equivalents.declared())] == []


def test_what_survives_is_printed_with_its_place_and_makes_the_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _copied("freeze-window", tmp_path, without="japanese")
    monkeypatch.setattr(command, "POLICIES", tmp_path)

    code = command.main(["freeze-window", "--jobs", "1"])

    printed = capsys.readouterr()
    assert code == 1
    assert f"{tmp_path}/freeze-window/policy.yaml:" in printed.out
    assert "survived: freeze-window validations[0].ja.messageExpression: say nothing" in printed.out
    assert "wanted: a case that expects a part of this message" in printed.out
    assert printed.err.startswith("[1/1] freeze-window: ")


def test_all_killed_is_exit_code_0_and_says_by_what(capsys: pytest.CaptureFixture[str]) -> None:
    code = command.main(["freeze-window", "--show"])

    _, numbers, _, *shown_mutants = capsys.readouterr().out.splitlines()
    assert code == 0
    assert numbers.split() == ["freeze-window", *[str(len(shown_mutants))] * 2, "0", "0"]
    assert len(shown_mutants) >= 9
    assert all(": killed by " in line for line in shown_mutants)


def test_an_unknown_policy_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["freeze-windows"]) == 2
    assert "there is no policy freeze-windows" in capsys.readouterr().err


def test_tests_that_fail_without_any_change_prove_nothing(tmp_path: Path) -> None:
    _copied("freeze-window", tmp_path)
    policy = tmp_path / "freeze-window" / "policy.yaml"
    policy.write_text(policy.read_text().replace("origins: [User", "origins: [Drain"))

    with pytest.raises(UsageError, match="fails without any change"):
        Trial(tmp_path / "freeze-window").results()


def test_a_declared_equivalent_must_exist_and_must_survive() -> None:
    lives, dies = (Result(_mutant(what), killer) for what, killer in (("drop `a`", ""), ("drop `b`", "suite/case")))
    reasons = {one.mutant.name: "because" for one in (lives, dies)} | {"other gone: drop `c`": "because"}

    assert [*equivalents.wrong(reasons, [lives, dies])] == [
        "equivalent.yaml: 'sample variables.x: drop `b`' is not equivalent: suite/case fails with it",
        "equivalent.yaml: there is no mutant 'other gone: drop `c`'",
    ]
    assert [*equivalents.wrong(reasons, [lives, dies], skipped=["sample", "other"])] == []


@pytest.mark.parametrize(
    "entries", [[{"name": "x"}], [{"reason": "y"}], [{"name": "x", "reason": "y"}] * 2], ids=["why", "what", "twice"]
)
def test_an_equivalent_without_a_reason_is_refused(entries: list[dict[str, str]], tmp_path: Path) -> None:
    file = tmp_path / "equivalent.yaml"
    file.write_text(yaml.safe_dump(entries))

    with pytest.raises(ValueError, match="a name of its own and a reason"):
        equivalents.declared(file)


def _policy(text: str = _POLICY) -> GuardPolicy:
    return reading.policy(documents(text, "sample.yaml")[0][0])


def _mutant(what: str) -> Mutant:
    return Mutant(
        policy="sample", place="variables.x", what=what, wanted="", where="sample.yaml:1:1", path=("spec",), value=""
    )


def _copied(name: str, folder: Path, *, without: str = "") -> None:
    for file in (command.POLICIES / name).rglob("*.yaml"):
        target = folder / file.relative_to(command.POLICIES)
        if not (without and without in file.name):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text())


def _compact(text: str) -> str:
    return "".join(text.split())


def _shape(text: str) -> object:
    """What an expression means, whatever the parentheses."""
    return [(node.kind, node.name, len(node.children)) for node in parse(text).walk()]
