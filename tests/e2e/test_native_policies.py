"""What `migguard export vap` writes, on a kube-apiserver without the webhook: the same verdicts as ours, case by case.

The judges are the policies' own tests: each case is sent as a request to an API server that holds nothing but the
exported objects of that test's policies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.controlplane import ControlPlane, control_plane
from tests.support.kubectl import Answer, Kubectl
from tests.support.process import until
from webhook.admission.natives import CATALOG
from webhook.authoring import obstacles, vap
from webhook.model.objects import Object, mapping, name_of, namespace_of, text
from webhook.model.request import Operation
from webhook.offline.outcome import Outcome
from webhook.offline.testing.run import run
from webhook.offline.testing.suite import Case, Suite, suites
from webhook.offline.testing.world import policies_of
from webhook.policy.celsyntax import parse
from webhook.policy.policyset import load

ROOT = Path(__file__).parents[2]
POLICIES = [*sorted(path.parent for path in ROOT.glob("examples/backstop/*/policy.yaml")), ROOT / "policies/vmim-stamp"]
SUITES = [suite for folder in POLICIES for suite in suites([folder])]
NARRATOR = "narrator"
"""Sets the scene, and is no business of the exported policies."""
EVERYTHING: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "write-everything"},
    "rules": [
        {"apiGroups": [group], "resources": ["*"], "verbs": ["*"]}
        for group in ("kubevirt.io", "hco.kubevirt.io", "migrations.kubevirt.io")
    ],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server on which everybody may write the objects, but has no right on subresources."""
    with control_plane(tmp_path_factory.mktemp("native")) as plane:
        plane.install("crds")
        plane.kubectl.must("create", "-f", "-", manifest=EVERYTHING)
        for group in ("system:authenticated", "system:unauthenticated"):
            binding = ("create", "clusterrolebinding", f"everything-{group[7:]}", "--clusterrole=write-everything")
            plane.kubectl.must(*binding, f"--group={group}")
        yield plane


def _exported(suite: Suite) -> list[dict[str, Any]]:
    export = vap.export(policies_of(suite))
    assert not export.refused
    objects: list[dict[str, Any]] = json.loads(json.dumps(export.objects))
    for obj in objects:
        if not obj["kind"].endswith("Binding"):
            spared = {"name": "not-the-narrator", "expression": f"request.userInfo.username != '{NARRATOR}'"}
            obj["spec"].setdefault("matchConditions", []).append(spared)
    return objects


class Stage:
    """One API server on which the cases of one suite are played."""

    def __init__(self, admin: Kubectl, suite: Suite) -> None:
        self.admin = admin
        self.narrator = admin.as_user(NARRATOR, "system:masters")
        self.suite = suite
        self.exported = _exported(suite)
        self.ours = {result.case.name: result.outcome for result in run(suite)}

    def __enter__(self) -> Self:
        for obj in (*self.suite.objects, *self.exported):
            self._ensure_namespace(namespace_of(obj))
            self.narrator.must("apply", "--server-side", "--force-conflicts", "-f", "-", manifest=obj)
        return self

    def __exit__(self, *_: object) -> None:
        for obj in self.exported:
            self.admin.must("delete", obj["kind"], name_of(obj))

    def fault(self, case: Case) -> str:
        """What the API server does with a case otherwise than our policies; empty if nothing."""
        return _fault(case, self.ours[case.name], self.play(case))

    def play(self, case: Case) -> Answer:
        """Send the request of a case as its user and leave nothing behind."""
        request = case.request
        subject = request.object if request.object is not None else request.old_object
        assert subject is not None
        self._ensure_namespace(request.namespace)
        groups = [group for group in request.user.groups if group != "system:authenticated"]
        user = self.admin.as_user(request.user.username, *groups)
        if request.operation is Operation.CREATE:
            return user.create(subject, "--dry-run=server", "-o", "json")
        assert request.old_object is not None
        standing = json.loads(self.narrator.must("create", "-f", "-", "-o", "json", manifest=request.old_object))
        try:
            if request.operation is Operation.DELETE:
                address = (subject["kind"], name_of(subject), *_in_namespace(subject))
                return user("delete", *address, "--dry-run=server", "--wait=false")
            given = {"uid": standing["metadata"]["uid"], "resourceVersion": standing["metadata"]["resourceVersion"]}
            new = {**subject, "metadata": {**subject["metadata"], **given}}
            return user("replace", "-f", "-", "--dry-run=server", "-o", "json", manifest=new)
        finally:
            self.narrator.must("delete", subject["kind"], name_of(subject), *_in_namespace(subject), "--wait=false")

    def _ensure_namespace(self, name: str) -> None:
        if name and not self.narrator("get", "namespace", name).ok:
            self.narrator.must("create", "namespace", name)


def _in_namespace(obj: Object) -> list[str]:
    return [f"--namespace={namespace_of(obj)}"] if namespace_of(obj) else []


def _cases(suite: Suite) -> list[Case]:
    """Those that a request can bring about: an API server judges in both phases."""
    return [case for case in suite.cases if len(case.phases) > 1]


def _first(suite: Suite, wanted: Callable[[Case], bool]) -> Case | None:
    return next((case for case in _cases(suite) if wanted(case)), None)


@pytest.mark.parametrize("suite", [pytest.param(one, id=one.name) for one in SUITES])
def test_the_api_server_decides_each_case_of_a_policys_own_tests_as_we_do(suite: Suite, cluster: ControlPlane) -> None:
    with Stage(cluster.kubectl, suite) as stage:
        _wait_until_in_force(stage)
        wrong = [f"{case.name}: {fault}" for case in _cases(suite) if (fault := stage.fault(case))]
    assert wrong == []


def _wait_until_in_force(stage: Stage) -> None:
    """The API server takes a moment to judge by a policy that was just written."""
    refused = _first(stage.suite, lambda case: case.expect.allowed is False)
    changed = _first(stage.suite, lambda case: bool(case.expect.patched))
    for case in (one for one in (refused, changed) if one):
        _wait_until_decided(stage, case)


def _wait_until_decided(stage: Stage, case: Case) -> None:
    faults: list[str] = []

    def as_expected() -> bool:
        faults.append(stage.fault(case))
        return not faults[-1]

    try:
        until(as_expected, seconds=20, what=f"the verdict of '{case.name}'")
    except TimeoutError as error:
        raise AssertionError(f"{case.name}: {faults[-1]}") from error


def _fault(case: Case, ours: Outcome, answer: Answer) -> str:
    """What the API server did otherwise than our policies; empty if nothing."""
    if answer.ok != ours.last.allowed:
        return f"allowed is {answer.ok}: {answer.stderr.strip()}"
    if not answer.ok:
        first = next(violation for evaluation in ours.evaluations for violation in evaluation.violations)
        said = [first.message, first.remediation]
        missing = [part for part in said if " ".join(part.split()) not in " ".join(answer.stderr.split())]
        return f"{missing} is not in: {answer.stderr.strip()}" if missing else ""
    return _difference(case.expect.patched or {}, json.loads(answer.stdout)) if case.expect.patched else ""


def _difference(wanted: Mapping[str, Any], got: Mapping[str, Any], path: str = "") -> str:
    for key, value in wanted.items():
        if isinstance(value, Mapping):
            if found := _difference(value, mapping(got, key), f"{path}.{key}"):
                return found
        elif got.get(key) != value:
            return f"{path}.{key} is {got.get(key)!r}, not {value!r}"
    return ""


def test_what_is_exported_of_the_built_in_policies_is_accepted_as_a_whole(cluster: ControlPlane) -> None:
    export = vap.export(load([ROOT / "policies"], CATALOG))
    assert {text(obj, "metadata", "name") for obj in export.objects} == {
        "migguard.vmim-stamp",
        "migguard-system.vmim-stamp",
    }
    for obj in export.objects:
        cluster.kubectl.must("create", "--dry-run=server", "-f", "-", manifest=obj)


@pytest.mark.parametrize(
    ("expression", "known"),
    [
        ("cel.bind(x, 1, x == 1)", False),
        ("math.greatest(1, 2) == 2", False),
        ("base64.encode(b'x') == 'eA=='", False),
        ("[1].existsOne(x, x == 1)", False),
        ("object.metadata.annotations.`a/b` == 'x'", False),
        ("request.uid == 'x'", False),
        ("jsonpatch.escapeKey('a/b') == 'a~1b'", False),
        ("request['name'] == ''", False),
        ("'groups' in request.userInfo", False),
        ("['a', 'b'].join(', ') == 'a, b'", True),
        ("[1, 2].slice(0, 1).distinct().sort().reverse() == [1]", True),
        ("{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}", True),
        ("object.?a.optMap(x, x == 1).orValue(true)", True),
        ("sets.contains([1], [1]) && quantity('1Gi').isInteger() && semver('1.0.0').major() == 1", True),
        ("cidr('10.0.0.0/8').prefixLength() == 8 && url('https://a').getHost() == 'a' && 'ab'.find('b') == 'b'", True),
    ],
)
def test_the_api_server_knows_what_we_think_it_knows(expression: str, known: bool, cluster: ControlPlane) -> None:
    assert (not list(obstacles.foreign(parse(expression), expression))) is known
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
    policy = {
        "apiVersion": vap.API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "trial"},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": expression}]},
    }
    assert cluster.kubectl.create(policy, "--dry-run=server").ok is known


ERRING = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: erring}
spec:
  matchConstraints:
    resourceRules:
      - apiGroups: [kubevirt.io]
        apiVersions: ["*"]
        resources: [virtualmachineinstancemigrations]
        operations: [CREATE]
  validations: [{expression: "object.metadata.labels['team'] == 'a'", message: of another team}]
"""
MIGRATION = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstanceMigration",
    "metadata": {"name": "move", "namespace": "default"},
    "spec": {"vmiName": "db"},
}


def test_an_error_refuses_a_person_and_never_a_drain(cluster: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(ERRING)
    exported = vap.export(load([tmp_path], CATALOG)).objects
    person, drain = (
        cluster.kubectl.as_user("alice"),
        cluster.kubectl.as_service_account("kubevirt", "kubevirt-controller"),
    )
    for obj in exported:
        cluster.kubectl.must("apply", "--server-side", "-f", "-", manifest=obj)
    try:
        until(
            lambda: not person.create(MIGRATION, "--dry-run=server").ok,
            seconds=30,
            what="the refusal of a person's migration",
        )
        assert drain.create(MIGRATION, "--dry-run=server").ok
    finally:
        for obj in exported:
            cluster.kubectl.must("delete", obj["kind"], name_of(obj))
