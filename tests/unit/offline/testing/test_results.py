"""All tests below some paths: what came of them, and of those that could not be run."""

from pathlib import Path

import pytest
import yaml

from tests.support.policytests import POLICIES, Write, case
from webhook.errors import InputError
from webhook.offline.testing.results import Asked, Results, run_all


def run(folder: Path, **asked: object) -> Results:
    return run_all(Asked(paths=(folder,), **asked))  # type: ignore[arg-type]  # by name


def test_numbers_and_exit_code_say_what_came_of_it(write: Write) -> None:
    good, bad = case({"allowed": True}, name="good"), case({"allowed": False}, name="bad")
    fine, failed = run(write(good)), run(write(good, bad))
    assert (fine.passed, fine.failed, fine.suites, fine.exit_code) == (1, 0, 1, 0)
    assert (failed.passed, failed.failed, failed.suites, failed.exit_code) == (1, 1, 1, 1)
    assert [one.case.name for one in failed.cases] == ["good", "bad"]
    assert [one.case.name for one in run(write(good, bad), fail_only=True).cases] == ["bad"]


def test_tests_that_cannot_be_set_up_do_not_hide_the_others(write: Write) -> None:
    folder = write(case({"allowed": False}))
    tests = folder / "policies/demo/tests"
    other = yaml.safe_load((tests / "suite.yaml").read_text())
    (tests / "lost.yaml").write_text(yaml.safe_dump({**other, "spec": {**other["spec"], "policies": ["gone"]}}))
    (tests / "void.yaml").write_text(yaml.safe_dump({**other, "spec": {**other["spec"], "cluster": ["gone"]}}))
    (tests / "torn.yaml").write_text("kind: PolicyTest\n  spec: [")
    results = run(folder)
    assert (results.failed, results.exit_code) == (1, 2)
    assert [problem.where.removeprefix(f"{tests}/").split(":")[0] for problem in results.problems] == [
        "torn.yaml",
        "gone",  # policies of one test and manifests of another: told once
    ]


def test_manifests_with_several_problems_are_told_with_the_place_of_the_test(write: Write) -> None:
    folder = write(case({"allowed": True}), cluster=["objects.yaml"])
    (folder / "policies/demo/tests/objects.yaml").write_text("a: b\n---\nc: d\n")
    (problem,) = run(folder).problems
    assert problem.where.startswith(f"{folder}/policies/demo/tests/suite.yaml:")
    assert problem.message.startswith("2 problems in the manifests")


def test_a_policy_that_no_case_judges_is_named_if_tests_are_required(write: Write) -> None:
    folder = write(case({"allowed": True}))
    (folder / "policies/more").mkdir()
    (folder / "policies/more/policy.yaml").write_text(POLICIES.split("---")[0].replace("may-migrate", "untested"))
    assert run(folder).exit_code == 0
    required = run(folder, require_tests=True)
    assert [policy.name for policy in required.untested] == ["untested"]
    assert required.exit_code == 1


def test_an_exempted_policy_is_not_tested_by_that(write: Write) -> None:
    one = case({"allowed": True}, user="night-shift")
    results = run(write(one, now="2026-12-24"), require_tests=True)
    assert [policy.name for policy in results.untested] == ["may-migrate"]


@pytest.mark.parametrize(("minimum", "code"), [(0.0, 0), (20.0, 0), (99.9, 1)])
def test_coverage_must_reach_what_is_asked_for(write: Write, minimum: float, code: int) -> None:
    results = run(write(case({"allowed": True})), coverage=True, minimum=minimum)
    assert (results.exit_code, results.too_little) == (code, bool(code))


def test_coverage_is_of_the_policies_below_the_paths_and_else_of_those_the_tests_load(write: Write) -> None:
    folder = write(case({"allowed": True}), policies=["../../.."])
    (folder / "base.yaml").write_text(POLICIES.split("---")[0].replace("may-migrate", "base"))
    below = run(folder / "policies", coverage=True).coverage
    tests_only = run(folder / "policies/demo/tests", coverage=True).coverage
    assert below is not None
    assert tests_only is not None
    assert list(below.policies) == ["may-migrate", "priority"]
    assert list(tests_only.policies) == ["base", "may-migrate", "priority"]


def test_a_folder_of_overlays_is_covered_binding_by_binding(write: Write) -> None:
    """No policy set could be loaded from it: each environment has a binding of the same name."""
    folder = write(case({"allowed": True}))
    binding = {"apiVersion": "migguard.io/v1alpha1", "kind": "GuardPolicyBinding", "metadata": {"name": "here"}}
    suite = yaml.safe_load((folder / "policies/demo/tests/suite.yaml").read_text())
    for environment in ("dev", "prod"):
        overlay = folder / "overlays" / environment
        (overlay / "tests").mkdir(parents=True)
        (overlay / "binding.yaml").write_text(yaml.safe_dump({**binding, "spec": {"policyName": "priority"}}))
        spec = {**suite["spec"], "policies": ["..", "../../../policies"]}
        (overlay / "tests/t.yaml").write_text(yaml.safe_dump({**suite, "spec": spec}))
    results = run(folder / "overlays", coverage=True)
    assert results.problems == ()
    assert results.coverage is not None
    assert (results.coverage.share.exercised, results.coverage.share.total) == (2, 2)


def test_a_policy_that_cannot_be_read_is_told_though_no_test_loads_it(write: Write) -> None:
    folder = write(case({"allowed": True}))
    (folder / "policies/torn.yaml").write_text("kind: GuardPolicy\nspec: {}\n")
    assert run(folder).exit_code == 0
    results = run(folder, require_tests=True)
    assert results.exit_code == 2
    assert {problem.where.split(":")[0] for problem in results.problems} == {f"{folder}/policies/torn.yaml"}


def test_traces_are_made_of_what_is_shown(write: Write) -> None:
    folder = write(case({"allowed": True}, name="good"), case({"allowed": False}, name="bad"))
    assert [one.trace is not None for one in run(folder).cases] == [False, False]
    assert [one.trace is not None for one in run(folder, trace=True).cases] == [True, True]
    assert [one.trace is not None for one in run(folder, trace=True, fail_only=True).cases] == [True]


def test_no_test_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICIES)
    with pytest.raises(InputError, match="no PolicyTest was found"):
        run(tmp_path)
