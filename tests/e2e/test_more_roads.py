"""Further ways down the roads of docs/roads.md: other hands, other objects, other settings than in test_roads.

The numbers are those of its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.objects import CRITICAL, INSTALL_NAMESPACE, Object, migration_policy, vm, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.e2e.test_limits import parameters
from tests.e2e.test_roads import EVACUATING, POST_COPY, RIGHTS, merge, warned
from tests.support.kubectl import Answer, Kubectl

DENY = """\
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata: {name: evacuation-cancel}
spec:
  policyName: evacuation-cancel
  validationActions: [Deny]
"""
STAMP = {"migguard.io/requested-by": "alice", "migguard.io/origin": "User"}


class TestRoad03ByAnnotation:
    """The taint that empties a node is set by HyperConverged's jsonpatch annotation."""

    def test_a_cordon_that_would_empty_nodes_is_warned_about(self, configuration: Configuration) -> None:
        path = "/spec/configuration/migrations/nodeDrainTaintKey"
        add = {"op": "add", "path": path, "value": "node.kubernetes.io/unschedulable"}
        warned(configuration.annotate_hco([add]), "drain-taint-key", "node.kubernetes.io/unschedulable", "jsonpatch")


class TestRoad06LimitsOfVirtApi:
    """What holds for people holds for virtctl migrate and the console too."""

    def migrate(self, scene: Scene, name: str, *flags: str) -> Answer:
        wanted = vmim("", name)
        wanted["metadata"] = {"generateName": "kubevirt-migrate-vm-"}
        return scene.controller("kubevirt-apiserver").create(wanted, *flags)

    def test_a_freeze_window(self, scene: Scene) -> None:
        name = scene.vm("web")
        begun = datetime.now(UTC) - timedelta(minutes=10)
        schedule = f"{begun.minute} {begun.hour} {begun.day} {begun.month} *"
        window = {"name": "closing", "schedule": schedule, "duration": "3h", "reason": "month-end closing"}
        with scene.webhook.edited("parameters.yaml", parameters(scene, freezeWindows=[window])):
            message = refused(self.migrate(scene, name))
        assert "freeze-window" in message
        assert "month-end closing" in message
        allowed(self.migrate(scene, name))

    def test_the_share_of_the_queue(self, scene: Scene) -> None:
        names = [scene.vm(f"web-{number}") for number in range(4)]
        for name in names[:3]:
            allowed(self.migrate(scene, name))
        scene.wait_until(lambda: "migration-limits" in self.migrate(scene, names[3], "--dry-run=server").stderr)
        assert scene.namespace in refused(self.migrate(scene, names[3]))


class TestRoad07Bound:
    """A binding makes a refusal of the warning about a drain that is called off."""

    def test_evacuate_cancel_is_refused(self, scene: Scene) -> None:
        name = scene.vm("web")
        allowed(merge(scene.controller("kubevirt-controller"), "vmi", name, EVACUATING))
        cancel = {"status": {"evacuationNodeName": None}}
        virt_api = scene.controller("kubevirt-apiserver")
        with scene.webhook.edited("evacuation-cancel/binding.yaml", DENY):
            message = refused(merge(virt_api, "vmi", name, cancel))
            assert "evacuation-cancel" in message
            assert "node-a" in message
            # virt-controller takes the mark off itself once the VM has moved.
            allowed(merge(scene.controller("kubevirt-controller"), "vmi", name, cancel, "--dry-run=server"))
        allowed(merge(virt_api, "vmi", name, cancel))


class TestRoad12WithoutTheRight:
    """Somebody who may write MigrationPolicies, but not take the protection of one from critical VMs."""

    WRITES = ("--verb=get,list,create,update,patch,delete", "--resource=migrationpolicies.migrations.kubevirt.io")

    @pytest.fixture
    def petra(self, scene: Scene) -> Iterator[Kubectl]:
        role = f"policies-{scene.namespace}"
        scene.admin.must("create", "clusterrole", role, *self.WRITES)
        scene.admin.must("create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=petra")
        petra = scene.person("petra")
        scene.wait_until(lambda: petra("auth", "can-i", "create", "migrationpolicies").ok)
        yield petra
        scene.admin.must("delete", "clusterrole,clusterrolebinding", role)

    def guard(self, configuration: Configuration, selectors: Object) -> str:
        """A critical VM and the MigrationPolicy that protects it by these selectors; their common name to look for."""
        scene = configuration.scene
        allowed(scene.admin.create(self.policy("guard", selectors, allowPostCopy=False, allowWorkloadDisruption=False)))
        return f"{scene.namespace}/{scene.vm('ledger', labels=CRITICAL)}"

    def policy(self, name: str, selectors: Object, **settings: object) -> Object:
        found = migration_policy(name, {}, **settings)
        found["spec"]["selectors"] = selectors
        return found

    def judged(self, scene: Scene, petra: Kubectl, policy: Object, ledger: str) -> None:
        """AssertionError unless protection-kept refuses the policy and names the VM."""
        scene.wait_until_refused(petra, "create", "-f", "-", manifest=policy)
        message = refused(petra.create(policy))
        assert "protection-kept" in message
        assert ledger in message
        assert not scene.exists("migrationpolicy", policy["metadata"]["name"])

    def test_a_more_specific_one_is_refused_until_the_right_is_bound(
        self, configuration: Configuration, petra: Kubectl
    ) -> None:
        scene = configuration.scene
        ledger = self.guard(configuration, {"virtualMachineInstanceSelector": CRITICAL})
        selectors = {"virtualMachineInstanceSelector": CRITICAL, "namespaceSelector": {"team": scene.namespace}}
        silent = self.policy("silent", selectors, bandwidthPerMigration="1Mi")
        self.judged(scene, petra, silent, ledger)
        scene.admin.must("apply", "-f", str(RIGHTS))
        binding = ("clusterrolebinding", f"unflag-{scene.namespace}")
        scene.admin.must("create", *binding, "--clusterrole=migguard.io:unflag", "--user=petra")
        try:
            scene.wait_until_allowed(petra, "create", "-f", "-", manifest=silent)
            warned(petra.create(silent), "protection-removed", ledger)
        finally:
            scene.admin.must("delete", *binding)

    def test_a_tie_is_won_by_name(self, configuration: Configuration, petra: Kubectl) -> None:
        scene = configuration.scene
        selectors = {"virtualMachineInstanceSelector": CRITICAL}
        ledger = self.guard(configuration, selectors)
        self.judged(scene, petra, self.policy("a-silent", selectors, bandwidthPerMigration="1Mi"), ledger)
        later = petra.create(self.policy("silent", selectors, bandwidthPerMigration="1Mi"))
        warned(later, "migration-policy-reach", "only the order of their names decides")
        assert not [warning for warning in later.warnings if "protection" in warning]

    def test_empty_selectors_match_every_vm(self, configuration: Configuration, petra: Kubectl) -> None:
        scene = configuration.scene
        ledger = self.guard(configuration, {})
        self.judged(scene, petra, self.policy("a-silent", {}, bandwidthPerMigration="1Mi"), ledger)

    def test_empty_selectors_are_outranked_by_any_label(self, configuration: Configuration, petra: Kubectl) -> None:
        scene = configuration.scene
        ledger = self.guard(configuration, {"virtualMachineInstanceSelector": CRITICAL})
        # That migguard knows the VM shows in what it says of a policy that outranks the guard.
        closer = {"virtualMachineInstanceSelector": CRITICAL, "namespaceSelector": {"team": scene.namespace}}
        self.judged(scene, petra, self.policy("closer", closer, bandwidthPerMigration="1Mi"), ledger)
        answer = petra.create(self.policy("a-silent", {}, bandwidthPerMigration="1Mi"))
        allowed(answer)
        assert not [warning for warning in answer.warnings if "protection" in warning]


class TestRoad16OtherThanHyperConverged:
    """A migration waits, and post-copy comes by a MigrationPolicy or by the label that it selects by."""

    @pytest.fixture
    def ledger(self, scene: Scene, alice: Kubectl) -> str:
        """A critical VM with a migration that has not begun."""
        name = scene.vm("ledger", labels=CRITICAL)
        allowed(alice.create(vmim("move", name)))
        return name

    def test_a_migration_policy(self, configuration: Configuration, ledger: str) -> None:
        scene = configuration.scene
        fast = migration_policy("fast", {"team": scene.namespace}, **POST_COPY)
        scene.wait_until(lambda: "waiting" in scene.admin.create(fast, "--dry-run=server").stderr)
        message = refused(scene.admin.create(fast))
        assert "post-copy-exposure" in message
        assert f"{scene.namespace}/{ledger}" in message

    def test_a_label_of_the_vmi(self, configuration: Configuration, edith: Kubectl, ledger: str) -> None:
        scene = configuration.scene
        fast = migration_policy("fast", {}, **POST_COPY)
        fast["spec"]["selectors"] = {"virtualMachineInstanceSelector": {"speed": scene.namespace}}
        allowed(scene.admin.create(fast))
        label = ("label", "vmi", ledger, f"speed={scene.namespace}")
        scene.wait_until(lambda: "waiting" in edith(*label, "--dry-run=server").stderr)
        message = refused(edith(*label))
        assert "post-copy-exposure" in message
        assert f"{scene.namespace}/{ledger}" in message


class TestRoad18Roles:
    """A role that lets people act as KubeVirt's controllers."""

    @pytest.fixture
    def name(self, scene: Scene) -> Iterator[str]:
        name = f"borrower-{scene.namespace}"
        yield name
        scene.admin.must("delete", "clusterrole", name, "--ignore-not-found")
        scene.admin.within(INSTALL_NAMESPACE).must("delete", "role", name, "--ignore-not-found")

    def test_a_cluster_role_that_may_impersonate_service_accounts(self, scene: Scene, name: str) -> None:
        rule = ("--verb=impersonate", "--resource=serviceaccounts")
        answer = scene.admin("create", "clusterrole", name, *rule)
        warned(answer, "rbac-impersonation", name, INSTALL_NAMESPACE, f"oc delete clusterrole {name}")

    def test_a_role_that_may_make_tokens_where_kubevirt_is_and_the_same_elsewhere(
        self, scene: Scene, name: str
    ) -> None:
        rule = ("--verb=create", "--resource=serviceaccounts/token")
        answer = scene.admin.within(INSTALL_NAMESPACE)("create", "role", name, *rule)
        warned(answer, "rbac-impersonation", f"{INSTALL_NAMESPACE}/{name}")
        elsewhere = scene.admin("create", "role", name, *rule)
        allowed(elsewhere)
        assert elsewhere.warnings == []

    def test_the_command_that_undoes_it_is_ready_for_a_shell(self, scene: Scene) -> None:
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "borrower $(id)"},
            "rules": [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}],
        }
        answer = scene.admin.create(role, "--dry-run=server")
        warned(answer, "rbac-impersonation", "oc delete clusterrole 'borrower $(id)'")


@pytest.mark.parametrize("account", ["kubevirt:kubevirt-handler", "kube-system:robot"])
class TestRoad19LookalikesAndLabels:
    """Accounts that look like components of the system, and may edit here, take the critical flag away."""

    @pytest.fixture
    def lookalike(self, scene: Scene, account: str) -> Kubectl:
        namespace, _, name = account.partition(":")
        scene.admin("create", "namespace", namespace)  # kube-system is there, and so may be the other
        scene.bind("edit", serviceaccount=account)
        return scene.controller(name, namespace=namespace)

    def test_from_a_vmi(self, scene: Scene, lookalike: Kubectl, account: str) -> None:
        unflag = ("label", "vmi", scene.vm("ledger", labels=CRITICAL), "migguard.io/critical-")
        scene.wait_until_refused(lookalike, *unflag)
        message = refused(lookalike(*unflag))
        assert "critical-flag" in message
        assert f"system:serviceaccount:{account}" in message
        allowed(scene.controller("kubevirt-controller")(*unflag, "--dry-run=server"))

    def test_from_the_template_of_a_vm(self, scene: Scene, lookalike: Kubectl, account: str) -> None:
        scene.admin.must("create", "-f", "-", manifest=vm("ledger", labels=CRITICAL))
        patch = {"spec": {"template": {"metadata": {"labels": {"migguard.io/critical": None}}}}}
        message = refused(merge(lookalike, "virtualmachines", "ledger", patch))
        assert "critical-flag" in message
        assert f"system:serviceaccount:{account}" in message

    def test_from_a_namespace(self, scene: Scene, account: str) -> None:
        scene.admin.must("label", "namespace", scene.namespace, "migguard.io/critical=true")
        scene.vm("ledger")
        owner = scene.owner(f"system:serviceaccount:{account}")
        unflag = ("label", "namespace", scene.namespace, "migguard.io/critical-")
        scene.wait_until_refused(owner, *unflag)
        message = refused(owner(*unflag))
        assert "critical-flag" in message
        assert f"{scene.namespace}/ledger" in message


class TestRoad19StampKept:
    """The stamp of a migration outlives writes that leave it out, and nobody is troubled."""

    def stamp(self, scene: Scene) -> object:
        annotations = scene.admin.read("vmim", "move")["metadata"]["annotations"]
        return {key: value for key, value in annotations.items() if key.startswith("migguard.io/")}

    def test_kubectl_replace(self, scene: Scene, alice: Kubectl) -> None:
        allowed(alice.create(vmim("move", scene.vm("web"))))
        scene.bind("kubevirt.io:migrate", user="bob")
        written = scene.admin.read("vmim", "move")
        written["metadata"] |= {"annotations": None, "labels": {"ticket": "ops-7"}}
        answer = scene.person("bob")("replace", "-f", "-", manifest=written)
        allowed(answer)
        assert answer.warnings == []
        assert scene.admin.read("vmim", "move")["metadata"]["labels"] == {"ticket": "ops-7"}
        assert self.stamp(scene) == STAMP

    def test_server_side_apply_that_gives_up_the_annotations(self, scene: Scene, alice: Kubectl) -> None:
        plain = vmim("move", scene.vm("web"))
        stamped = vmim("move", "web")
        stamped["metadata"]["annotations"] = dict(STAMP)
        allowed(alice.apply(stamped, "--server-side"))
        answer = alice.apply(plain, "--server-side")
        allowed(answer)
        assert answer.warnings == []
        assert self.stamp(scene) == STAMP


class TestRoad20OnMachines:
    """Annotations for KubeVirt's own tests that virt-launcher obeys, on the VM and its VMI."""

    BLOCK = "kubevirt.io/func-test-block-migration-target-preparation"
    FAIL = "kubevirt.io/func-test-force-launcher-migration-failure"

    def test_in_the_template_of_a_new_vm(self, scene: Scene, edith: Kubectl) -> None:
        stalling = vm("web")
        stalling["spec"]["template"]["metadata"]["annotations"] = {self.BLOCK: ""}
        message = refused(edith.create(stalling))
        assert "vm-test-annotations" in message
        assert self.BLOCK in message
        assert not scene.exists("virtualmachines", "web")

    def test_in_the_template_of_a_vm_that_is_there(self, edith: Kubectl) -> None:
        allowed(edith.create(vm("web")))
        patch = {"spec": {"template": {"metadata": {"annotations": {self.BLOCK: ""}}}}}
        assert "vm-test-annotations" in refused(merge(edith, "virtualmachines", "web", patch))

    def test_on_a_running_vmi(self, scene: Scene, edith: Kubectl) -> None:
        name = scene.vm("web")
        message = refused(edith("annotate", "vmi", name, f"{self.FAIL}=true"))
        assert "vm-test-annotations" in message
        assert self.FAIL in message
        # A label that goes with it takes another way in.
        both = {"metadata": {"labels": {"colour": "blue"}, "annotations": {self.FAIL: "true"}}}
        assert "vm-test-annotations" in refused(merge(edith, "vmi", name, both))
        allowed(edith("annotate", "vmi", name, "example.com/ticket=OPS-7"))

    def test_by_a_cluster_admin(self, scene: Scene) -> None:
        refused(scene.admin("annotate", "vmi", scene.vm("web"), f"{self.FAIL}=true"))

    def test_virt_controller_goes_on_with_what_is_there(self, scene: Scene) -> None:
        controller = scene.controller("kubevirt-controller")
        allowed(controller("annotate", "vmi", scene.vm("web"), f"{self.FAIL}=true"))
