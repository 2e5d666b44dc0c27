"""Every road to a migration or to an unsafe setting that leads through the API server, one test or more for each.

docs/roads.md says what migguard does about each; the numbers are those of its table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.objects import (
    CRITICAL,
    HCO_NAME,
    INSTALL_NAMESPACE,
    KUBEVIRT_NAME,
    SAFE,
    evacuation,
    launcher,
    migration_policy,
    node,
    pvc,
    vm,
    vmim,
)
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Answer, Kubectl
from tests.support.webhook import EVICTION_GUARD, ROOT

POST_COPY = {"allowPostCopy": True}
RIGHTS = ROOT / "examples" / "rights.yaml"
EVACUATING = '{"status":{"evacuationNodeName":"node-a"}}'


def warned(answer: Answer, policy: str, *words: str) -> None:
    """AssertionError unless kubectl succeeded and showed a warning of this policy with these words."""
    allowed(answer)
    texts = [warning for warning in answer.warnings if f"policy {policy}:" in warning]
    assert texts, f"no warning of {policy}: {answer.stderr}"
    assert all(any(word in text for text in texts) for word in words), f"{words} are not all in {texts}"


def merge(kubectl: Kubectl, kind: str, name: str, patch: object, *flags: str) -> Answer:
    """``kubectl patch --type=merge``; a patch that is not text is written as JSON."""
    text = patch if isinstance(patch, str) else json.dumps(patch)
    return kubectl("patch", kind, name, "--type=merge", "-p", text, *flags)


@pytest.fixture
def post_copy(configuration: Configuration) -> Configuration:
    """A cluster on which post-copy is on."""
    allowed(configuration.patch_hco(POST_COPY))
    configuration.render(SAFE | POST_COPY)
    return configuration


class TestRoad01Eviction:
    """Somebody evicts a virt-launcher pod, with the optional guard."""

    @pytest.fixture
    def guard(self, scene: Scene) -> Iterator[None]:
        scene.webhook.register(EVICTION_GUARD)
        yield
        scene.admin.must("delete", "mutatingwebhookconfiguration", "migguard-eviction-guard")

    @pytest.fixture
    def pod(self, post_copy: Configuration) -> str:
        """The launcher pod of a critical VM that would migrate with post-copy."""
        scene = post_copy.scene
        running = launcher(scene.vm("ledger", labels=CRITICAL))
        scene.admin.must("create", "-f", "-", manifest=running)
        name = running["metadata"]["name"]
        assert isinstance(name, str)
        return name

    def evict(self, kubectl: Kubectl, scene: Scene, pod: str, *flags: str) -> Answer:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        query = "?dryRun=All" if "--dry-run=server" in flags else ""
        path = f"/api/v1/namespaces/{scene.namespace}/pods/{pod}/eviction{query}"
        return kubectl("create", "--raw", path, "-f", "-", manifest=json.dumps(eviction))

    def test_an_eviction_by_somebody_who_may_not_drain_is_refused(
        self, scene: Scene, edith: Kubectl, guard: None, pod: str
    ) -> None:
        scene.admin.must("create", "role", "evictor", "--verb=create", "--resource=pods/eviction")
        scene.admin.must("create", "rolebinding", "evictor", "--role=evictor", "--user=edith")
        scene.wait_until(lambda: "eviction-guard" in self.evict(edith, scene, pod, "--dry-run=server").stderr)
        message = refused(self.evict(edith, scene, pod))
        assert f"{scene.namespace}/ledger" in message
        assert scene.exists("pod", pod)

    def test_whoever_may_change_nodes_drains(self, scene: Scene, edith: Kubectl, guard: None, pod: str) -> None:
        scene.admin.must("create", "clusterrole", "drainer", "--verb=get,patch", "--resource=nodes")
        scene.admin.must("create", "clusterrolebinding", "drainer", "--clusterrole=drainer", "--user=nina")
        scene.admin.must("create", "role", "evictor", "--verb=create", "--resource=pods/eviction")
        scene.admin.must("create", "rolebinding", "evictor", "--role=evictor", "--user=nina", "--user=edith")
        nina = scene.person("nina")
        scene.wait_until(lambda: nina("auth", "can-i", "patch", "nodes").ok)
        scene.wait_until(lambda: "eviction-guard" in self.evict(edith, scene, pod, "--dry-run=server").stderr)
        allowed(self.evict(nina, scene, pod))
        scene.admin.must("delete", "clusterrole,clusterrolebinding", "drainer")

    def test_while_migguard_is_away_every_eviction_passes(self, scene: Scene, guard: None, pod: str) -> None:
        with scene.webhook.paused():
            allowed(self.evict(scene.admin, scene, pod))
        assert not scene.exists("pod", pod)

    def test_it_is_off_by_default(self, scene: Scene, pod: str) -> None:
        allowed(self.evict(scene.admin, scene, pod))
        assert scene.webhook.records(namespace=scene.namespace, name=pod) == []


class TestRoad02DrainTaint:
    """Somebody taints a node: no rule intercepts nodes, the evacuations that follow are recorded."""

    def test_the_taint_is_not_seen_and_the_evacuation_is_recorded(self, scene: Scene) -> None:
        with scene.nodes(node("node-a"), node("node-b")):
            allowed(scene.admin("taint", "node", "node-a", "kubevirt.io/drain=:NoSchedule"))
            assert scene.webhook.records(name="node-a") == []
            allowed(scene.controller("kubevirt-controller").create(evacuation(scene.vm("web"), "node-a")))
        assert {record["origin"] for record in scene.records_of_vmims()} == {"Drain"}


class TestRoad03DrainTaintKey:
    """The taint that empties a node becomes the one that every cordon sets."""

    def test_a_cordon_that_would_empty_nodes_is_warned_about(self, configuration: Configuration) -> None:
        answer = configuration.patch_kubevirt({"nodeDrainTaintKey": "node.kubernetes.io/unschedulable"})
        warned(answer, "drain-taint-key", "node.kubernetes.io/unschedulable")


class TestRoad04LiveUpdate:
    """An edit of a running VM makes the workload updater migrate it."""

    def test_the_edit_passes_and_the_migration_is_recorded_as_the_updaters(self, scene: Scene, edith: Kubectl) -> None:
        name = scene.vm("web")
        scene.admin.must("create", "-f", "-", manifest=vm(name, claim="web-data"))
        more = {"spec": {"template": {"spec": {"domain": {"memory": {"guest": "4Gi"}}}}}}
        allowed(merge(edith, "virtualmachines", name, more))
        allowed(scene.controller("kubevirt-controller").create(workload_update(name)))
        assert {record["origin"] for record in scene.records_of_vmims()} == {"WorkloadUpdate"}


class TestRoad05VolumeMigration:
    """An edit of a running VM copies its disks to other claims while it migrates."""

    @pytest.fixture
    def ordinary(self, post_copy: Configuration) -> str:
        """A VM that is not critical, on a cluster where post-copy is on."""
        scene = post_copy.scene
        name = scene.vm("web", access_mode="ReadWriteOnce")
        scene.admin.must("create", "-f", "-", manifest=vm(name, claim="web-data"))
        scene.admin.must("create", "-f", "-", manifest=pvc("web-new", "ReadWriteOnce"))
        return name

    def moved(self, name: str) -> object:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{name}-new"}}]
        return {"spec": {"updateVolumesStrategy": "Migration", "template": {"spec": {"volumes": volumes}}}}

    def test_by_a_person_under_post_copy_it_is_refused(self, scene: Scene, edith: Kubectl, ordinary: str) -> None:
        scene.wait_until(
            lambda: not merge(edith, "virtualmachines", ordinary, self.moved(ordinary), "--dry-run=server").ok
        )
        message = refused(merge(edith, "virtualmachines", ordinary, self.moved(ordinary)))
        assert "volume-migration-no-post-copy" in message
        assert ordinary in message

    def test_by_the_controller_of_storage_migrations_it_is_refused_too(self, scene: Scene, ordinary: str) -> None:
        controller = scene.controller("kubevirt-migration-sa")
        scene.wait_until(
            lambda: not merge(controller, "virtualmachines", ordinary, self.moved(ordinary), "--dry-run=server").ok
        )
        message = refused(merge(controller, "virtualmachines", ordinary, self.moved(ordinary)))
        assert "volume-migration-no-post-copy" in message

    def test_without_post_copy_it_passes(self, configuration: Configuration, edith: Kubectl) -> None:
        scene = configuration.scene
        name = scene.vm("web", access_mode="ReadWriteOnce")
        scene.admin.must("create", "-f", "-", manifest=vm(name, claim="web-data"))
        scene.admin.must("create", "-f", "-", manifest=pvc("web-new", "ReadWriteOnce"))
        allowed(merge(edith, "virtualmachines", name, self.moved(name)))


class TestRoad06VirtctlMigrate:
    """virtctl migrate and the console: the VMIM is virt-api's, the person is not known."""

    def create(self, scene: Scene, name: str) -> Answer:
        wanted = vmim("", name)
        wanted["metadata"] = {"generateName": "kubevirt-migrate-vm-"}
        return scene.controller("kubevirt-apiserver").create(wanted, "-o", "json")

    def test_the_record_and_the_stamp_say_that_the_person_is_unknown(self, scene: Scene) -> None:
        created = json.loads(allowed(self.create(scene, scene.vm("web"))))
        assert created["metadata"]["annotations"]["migguard.io/origin"] == "VirtAPI"
        (record,) = scene.records_of_vmims(path="validate")
        assert "unknown" in json.dumps(record)

    def test_a_disk_that_cannot_migrate_is_named(self, scene: Scene) -> None:
        message = refused(self.create(scene, scene.vm("db", access_mode="ReadWriteOnce")))
        assert "db-data" in message


class TestRoad07EvacuateCancel:
    """virt-api clears the evacuation mark of a VMI: it stops a drain."""

    def test_it_is_warned_about_and_recorded(self, scene: Scene) -> None:
        name = scene.vm("web")
        allowed(merge(scene.controller("kubevirt-controller"), "vmi", name, EVACUATING))
        answer = merge(scene.controller("kubevirt-apiserver"), "vmi", name, {"status": {"evacuationNodeName": None}})
        warned(answer, "evacuation-cancel", "node-a")
        assert scene.webhook.records(namespace=scene.namespace, name=name, operation="UPDATE")


class TestRoad08Upgrade:
    """KubeVirt's upgrade migrates VMs: never refused, even where post-copy is on for a critical VM."""

    def test_it_is_never_refused(self, post_copy: Configuration) -> None:
        scene = post_copy.scene
        name = scene.vm("ledger", labels=CRITICAL, access_mode="ReadWriteOnce")
        allowed(scene.controller("kubevirt-controller").create(workload_update(name)))


class TestRoad11KubeVirt:
    """Edits of the KubeVirt CR beyond post-copy; see also test_configuration."""

    @pytest.mark.parametrize("version", ["v1", "v1alpha3"])
    def test_the_safety_checks_of_migrations_stay_on(self, configuration: Configuration, version: str) -> None:
        message = refused(configuration.patch_kubevirt({"unsafeMigrationOverride": True}, version=version))
        assert "unsafe-migration-override" in message

    def test_a_patch_of_kubevirts_own_workloads_is_warned_about(self, configuration: Configuration) -> None:
        patches = [
            {"resourceType": "Deployment", "resourceName": "virt-controller", "type": "json", "patch": "[]"},
        ]
        spec = {"spec": {"customizeComponents": {"patches": patches}}}
        warned(merge(configuration.admin, "kubevirts", KUBEVIRT_NAME, spec, "--dry-run=server"), "customize-components")


class TestRoad12MoreSpecificPolicy:
    """A MigrationPolicy that outranks the one that pins critical VMs to no post-copy."""

    def test_it_cannot_undo_the_protection_unnoticed(self, configuration: Configuration) -> None:
        scene = configuration.scene
        guard = migration_policy(f"guard-{scene.namespace}", {}, allowPostCopy=False, allowWorkloadDisruption=False)
        guard["spec"]["selectors"] = {"virtualMachineInstanceSelector": CRITICAL}
        allowed(scene.admin.create(guard))
        name = scene.vm("ledger", labels=CRITICAL)
        silent = migration_policy("silent", {"team": scene.namespace}, bandwidthPerMigration="1Mi")
        silent["spec"]["selectors"]["virtualMachineInstanceSelector"] = CRITICAL
        scene.wait_until(lambda: "protection-removed" in scene.admin.create(silent, "--dry-run=server").stderr)
        warned(scene.admin.create(silent), "protection-removed", f"{scene.namespace}/{name}")


class TestRoad14Labels:
    """Labels of a VMI or a namespace decide which MigrationPolicy applies."""

    @pytest.fixture
    def guarded(self, configuration: Configuration) -> str:
        """A critical VM that a MigrationPolicy protects by the label app=ledger, where post-copy is on otherwise."""
        scene = configuration.scene
        guard = migration_policy(f"guard-{scene.namespace}", {}, allowPostCopy=False)
        guard["spec"]["selectors"] = {"virtualMachineInstanceSelector": {"app": scene.namespace}}
        allowed(scene.admin.create(guard))
        allowed(configuration.patch_hco(POST_COPY))
        configuration.render(SAFE | POST_COPY)
        return scene.vm("ledger", labels=CRITICAL | {"app": scene.namespace})

    def test_a_label_of_the_vmi_that_takes_it_out_of_reach_is_refused(
        self, scene: Scene, edith: Kubectl, guarded: str
    ) -> None:
        move = ("label", "vmi", guarded, "app=other", "--overwrite")
        scene.wait_until_refused(edith, *move)
        message = refused(edith(*move))
        assert "post-copy-exposure" in message
        assert f"{scene.namespace}/{guarded}" in message
        allowed(edith("label", "vmi", guarded, "colour=blue"))

    def test_a_label_of_the_namespace_that_lets_another_policy_win_is_refused(
        self, configuration: Configuration
    ) -> None:
        scene = configuration.scene
        fast = migration_policy(f"fast-{scene.namespace}", {"speed": scene.namespace}, allowPostCopy=True)
        allowed(scene.admin.create(fast))
        name = scene.vm("ledger", labels=CRITICAL)
        owner = scene.owner("olga")
        move = ("label", "namespace", scene.namespace, f"speed={scene.namespace}")
        scene.wait_until_refused(owner, *move)
        assert f"{scene.namespace}/{name}" in refused(owner(*move))
        allowed(owner("label", "namespace", scene.namespace, "colour=blue"))


class TestRoad15CriticalFlag:
    """The flag itself is taken away: from the VMI, the VM's template, the namespace, or in a copy."""

    def test_from_a_vmi(self, scene: Scene, edith: Kubectl) -> None:
        name = scene.vm("ledger", labels=CRITICAL)
        unflag = ("label", "vmi", name, "migguard.io/critical-")
        scene.wait_until_refused(edith, *unflag)
        message = refused(edith(*unflag))
        assert "critical-flag" in message
        assert "unflag" in message

    def test_from_the_template_of_a_vm(self, scene: Scene, edith: Kubectl) -> None:
        scene.admin.must("create", "-f", "-", manifest=vm("ledger", labels=CRITICAL))
        patch = {"spec": {"template": {"metadata": {"labels": {"migguard.io/critical": None}}}}}
        assert "critical-flag" in refused(merge(edith, "virtualmachines", "ledger", patch))

    @pytest.mark.parametrize("path", ["metadata", "metadata/labels"])
    def test_a_null_on_the_way_to_the_labels_is_no_way_out(self, scene: Scene, edith: Kubectl, path: str) -> None:
        scene.admin.must("create", "-f", "-", manifest=vm("ledger", labels=CRITICAL))
        nulled = json.dumps([{"op": "replace", "path": f"/spec/template/{path}", "value": None}])
        patch = ("patch", "virtualmachines", "ledger", "--type=json", "-p", nulled)
        assert "critical-flag" in refused(edith(*patch))
        plain = scene.admin.create(vm("web"))
        allowed(plain)
        allowed(edith("patch", "virtualmachines", "web", "--type=json", "-p", nulled))
        allowed(
            merge(edith, "virtualmachines", "web", {"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 2}}}}}})
        )

    def test_from_a_namespace(self, scene: Scene) -> None:
        scene.admin.must("label", "namespace", scene.namespace, "migguard.io/critical=true")
        scene.vm("ledger")
        owner = scene.owner("olga")
        unflag = ("label", "namespace", scene.namespace, "migguard.io/critical-")
        scene.wait_until_refused(owner, *unflag)
        assert f"{scene.namespace}/ledger" in refused(owner(*unflag))

    def test_from_a_namespace_through_its_status(self, scene: Scene) -> None:
        scene.admin.must("label", "namespace", scene.namespace, "migguard.io/critical=true")
        scene.vm("ledger")
        owner = scene.owner("olga")
        unflag = {"metadata": {"labels": {"migguard.io/critical": None}}}
        scene.wait_until_refused(owner, "label", "namespace", scene.namespace, "migguard.io/critical-")
        answer = merge(owner, "namespace", scene.namespace, unflag, "--subresource=status")
        assert f"{scene.namespace}/ledger" in refused(answer)

    def test_from_a_pool(self, scene: Scene, edith: Kubectl) -> None:
        template = vm("ledger", labels=CRITICAL)["spec"]
        pool = {
            "apiVersion": "pool.kubevirt.io/v1beta1",
            "kind": "VirtualMachinePool",
            "metadata": {"name": "ledgers"},
            "spec": {"replicas": 2, "virtualMachineTemplate": {"spec": template}},
        }
        scene.admin.must("create", "role", "pools", "--verb=get,update,patch", "--resource=virtualmachinepools")
        scene.admin.must("create", "rolebinding", "pools", "--role=pools", "--user=edith")
        scene.admin.must("create", "-f", "-", manifest=pool)
        scene.wait_until(lambda: edith("auth", "can-i", "patch", "virtualmachinepools.pool.kubevirt.io").ok)
        unflag = {"template": {"metadata": {"labels": {"migguard.io/critical": None}}}}
        patch = {"spec": {"virtualMachineTemplate": {"spec": unflag}}}
        assert "critical-flag" in refused(merge(edith, "virtualmachinepools", "ledgers", patch))

    def test_deleting_a_vm_and_leaving_its_vmi_behind_takes_it_too(self, scene: Scene, edith: Kubectl) -> None:
        name = scene.vm("ledger")
        scene.admin.must("create", "-f", "-", manifest=vm(name, labels=CRITICAL))
        orphan = ("delete", "virtualmachines", name, "--cascade=orphan")
        scene.wait_until_refused(edith, *orphan)
        assert "critical-flag" in refused(edith(*orphan))

    def test_whoever_holds_the_right_may_and_it_works_at_once(self, scene: Scene, edith: Kubectl) -> None:
        name = scene.vm("ledger", labels=CRITICAL)
        scene.wait_until_refused(edith, "label", "vmi", name, "migguard.io/critical-")
        scene.admin.must("apply", "-f", str(RIGHTS))
        scene.admin.must("create", "rolebinding", "unflag", "--clusterrole=migguard.io:unflag", "--user=edith")
        scene.wait_until_allowed(edith, "label", "vmi", name, "migguard.io/critical-")
        allowed(edith("label", "vmi", name, "migguard.io/critical-"))

    def test_a_clone_without_the_flag_is_warned_about(self, scene: Scene) -> None:
        scene.admin.must("create", "-f", "-", manifest=vm("ledger", labels=CRITICAL))
        clone = {
            "apiVersion": "clone.kubevirt.io/v1beta1",
            "kind": "VirtualMachineClone",
            "metadata": {"name": "copy"},
            "spec": {
                "source": {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "ledger"},
                "template": {"labelFilters": ["*", "!migguard.io/*"]},
            },
        }
        scene.wait_until(lambda: bool(scene.admin.create(clone, "--dry-run=server").warnings))
        warned(scene.admin.create(clone), "critical-copy", "ledger")

    def test_a_restore_onto_a_critical_vm_is_warned_about(self, scene: Scene) -> None:
        scene.admin.must("create", "-f", "-", manifest=vm("ledger", labels=CRITICAL))
        restore = {
            "apiVersion": "snapshot.kubevirt.io/v1beta1",
            "kind": "VirtualMachineRestore",
            "metadata": {"name": "back"},
            "spec": {
                "target": {"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "ledger"},
                "virtualMachineSnapshotName": "yesterday",
            },
        }
        scene.wait_until(lambda: bool(scene.admin.create(restore, "--dry-run=server").warnings))
        warned(scene.admin.create(restore), "critical-copy", "ledger")


class TestRoad16Pending:
    """What was safe when a migration was asked for may be unsafe when it begins."""

    def test_the_refusal_says_that_a_migration_is_waiting(self, configuration: Configuration, alice: Kubectl) -> None:
        scene = configuration.scene
        name = scene.vm("ledger", labels=CRITICAL)
        allowed(alice.create(vmim("move", name)))
        scene.wait_until(lambda: "waiting" in configuration.patch_hco(POST_COPY, "--dry-run=server").stderr)
        message = refused(configuration.patch_hco(POST_COPY))
        assert f"{scene.namespace}/{name}" in message


class TestRoad17Access:
    """Roles and bindings that give the right to migrate to more people than meant."""

    @pytest.fixture(autouse=True)
    def cleanup(self, scene: Scene) -> Iterator[None]:
        yield
        gone = ("clusterrole", "mover", "everything", "--ignore-not-found")
        scene.admin.must("delete", *gone)
        label = "rbac.authorization.k8s.io/aggregate-to-admin-"
        scene.admin.must("label", "clusterrole", "kubevirt.io:migrate", label)
        scene.admin.must("delete", "clusterrolebinding", "everybody-migrates", "--ignore-not-found")

    def test_the_role_is_labelled_for_aggregation(self, scene: Scene) -> None:
        label = "rbac.authorization.k8s.io/aggregate-to-admin=true"
        answer = scene.admin("label", "clusterrole", "kubevirt.io:migrate", label)
        warned(answer, "rbac-migrate-grants", "kubevirt.io:migrate", "admin")

    def test_the_upgrade_role_is_made(self, scene: Scene) -> None:
        answer = scene.admin("label", "clusterrole", "kubevirt.io:upgrademigrate", "left=behind", "--overwrite")
        warned(answer, "leftover-upgrade-role", "oc delete clusterrole kubevirt.io:upgrademigrate")

    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("mover", ["--verb=create,delete", "--resource=virtualmachineinstancemigrations.kubevirt.io"]),
            ("everything", ["--verb=*", "--resource=*.kubevirt.io"]),
        ],
    )
    def test_a_role_smuggles_the_verbs(self, scene: Scene, name: str, rule: list[str]) -> None:
        warned(scene.admin("create", "clusterrole", name, *rule), "rbac-migrate-grants", name)

    def test_the_role_is_bound_to_everybody(self, scene: Scene) -> None:
        answer = scene.admin(
            "create",
            "clusterrolebinding",
            "everybody-migrates",
            "--clusterrole=kubevirt.io:migrate",
            "--group=system:authenticated",
        )
        warned(answer, "rbac-migrate-grants", "system:authenticated")

    def test_an_ordinary_binding_is_silent(self, scene: Scene) -> None:
        answer = scene.admin("create", "rolebinding", "ok", "--clusterrole=kubevirt.io:migrate", "--user=alice")
        allowed(answer)
        assert answer.warnings == []


class TestRoad18Impersonation:
    """``--as``: the impersonated user is judged, and is who the record names."""

    def test_the_impersonated_user_is_judged_and_recorded(self, scene: Scene) -> None:
        name = scene.vm("web")
        scene.bind("admin", user="bob")
        refused(scene.person("bob").create(vmim("move", name)))
        (record,) = scene.records_of_vmims(path="validate")
        assert record["input"]["request"]["userInfo"]["username"] == "bob"

    def test_a_borrowed_service_account_is_judged_as_such(self, scene: Scene) -> None:
        name = scene.vm("web")
        scene.admin.must("create", "serviceaccount", "robot")
        scene.bind("admin", serviceaccount=f"{scene.namespace}:robot")
        message = refused(scene.controller("robot", namespace=scene.namespace).create(vmim("move", name)))
        assert f"system:serviceaccount:{scene.namespace}:robot" in message


class TestRoad19Lookalikes:
    """System marks and accounts that only look like KubeVirt's; see also test_machines."""

    def test_a_forged_mark_is_refused_even_for_a_holder_of_the_right(self, scene: Scene, alice: Kubectl) -> None:
        wanted = vmim("move", scene.vm("web"))
        wanted["metadata"]["annotations"] = {"kubevirt.io/evacuationMigration": "node-a"}
        assert "vmim-protected-metadata" in refused(alice.create(wanted))

    def test_a_forged_stamp_is_overwritten(self, scene: Scene, alice: Kubectl) -> None:
        wanted = vmim("move", scene.vm("web"))
        wanted["metadata"]["annotations"] = {"migguard.io/requested-by": "carol", "migguard.io/origin": "Drain"}
        created = json.loads(allowed(alice.create(wanted, "-o", "json")))
        annotations = created["metadata"]["annotations"]
        assert annotations["migguard.io/requested-by"] == "alice"
        assert annotations["migguard.io/origin"] == "User"
        message = refused(alice("annotate", "vmim", "move", "migguard.io/requested-by=carol", "--overwrite"))
        assert "vmim-stamp" in message


class TestRoad20FunctestAnnotations:
    """Annotations for KubeVirt's own tests, which it honours in production too."""

    IMAGE = "kubevirt.io/func-test-migration-target-image-override"

    def test_on_create(self, scene: Scene, alice: Kubectl) -> None:
        wanted = vmim("move", scene.vm("web"))
        wanted["metadata"]["annotations"] = {self.IMAGE: "registry.example/evil"}
        message = refused(alice.create(wanted))
        assert "vmim-protected-metadata" in message
        assert self.IMAGE in message

    def test_on_update(self, scene: Scene, alice: Kubectl) -> None:
        allowed(alice.create(vmim("move", scene.vm("web"))))
        message = refused(alice("annotate", "vmim", "move", f"{self.IMAGE}=registry.example/evil"))
        assert "vmim-protected-metadata" in message

    def test_by_a_cluster_admin(self, scene: Scene) -> None:
        wanted = vmim("move", scene.vm("web"))
        wanted["metadata"]["annotations"] = {self.IMAGE: "registry.example/evil"}
        refused(scene.admin.create(wanted))


class TestRoad21FinalizerAndCancel:
    """A running migration is made to vanish, or cancelled."""

    @pytest.fixture
    def running(self, scene: Scene, alice: Kubectl) -> str:
        wanted = vmim("move", scene.vm("web"))
        wanted["metadata"]["finalizers"] = ["kubevirt.io/migrationJobFinalize"]
        allowed(alice.create(wanted))
        self.report(scene, "move", phase="Running")
        return "move"

    @pytest.fixture
    def drain(self, scene: Scene) -> str:
        created = allowed(
            scene.controller("kubevirt-controller").create(evacuation(scene.vm("db"), "node-a"), "-o", "json")
        )
        name = json.loads(created)["metadata"]["name"]
        assert isinstance(name, str)
        return name

    def report(self, scene: Scene, name: str, **status: object) -> None:
        controller = scene.controller("kubevirt-controller")
        allowed(merge(controller, "vmim", name, {"status": status}, "--subresource=status"))

    def test_the_finalizer_of_a_running_migration_stays(self, alice: Kubectl, running: str) -> None:
        message = refused(merge(alice, "vmim", running, {"metadata": {"finalizers": None}}))
        assert "vmim-protected-metadata" in message

    def test_virt_controller_removes_it(self, scene: Scene, running: str) -> None:
        allowed(merge(scene.controller("kubevirt-controller"), "vmim", running, {"metadata": {"finalizers": None}}))

    def test_one_s_own_migration_may_be_cancelled(self, alice: Kubectl, running: str) -> None:
        allowed(alice("delete", "vmim", running, "--wait=false"))

    def test_in_post_copy_nobody_cancels(self, scene: Scene, alice: Kubectl, running: str) -> None:
        self.report(scene, running, phase="Running", migrationState={"mode": "PostCopy"})
        for person in (alice, scene.admin):
            assert "cancel-guard" in refused(person("delete", "vmim", running, "--wait=false"))

    def test_a_drain_is_cancelled_only_with_a_right_of_its_own(self, scene: Scene, alice: Kubectl, drain: str) -> None:
        message = refused(alice("delete", "vmim", drain, "--wait=false"))
        assert "cancel-guard" in message
        assert "migguard.io:cancel-system-migrations" in message
        allowed(scene.admin("delete", "vmim", drain, "--wait=false"))

    def test_nor_with_a_collection(self, scene: Scene, alice: Kubectl, drain: str) -> None:
        path = f"/apis/kubevirt.io/v1/namespaces/{scene.namespace}/virtualmachineinstancemigrations"
        assert "cancel-guard" in alice("delete", "--raw", path).stderr
        assert scene.exists("vmim", drain)


class TestRoad22PodBridge:
    """An annotation makes a VM on the pod bridge look migratable; its network breaks when it migrates."""

    def test_it_is_warned_about(self, scene: Scene, edith: Kubectl) -> None:
        bridged = vm("web")
        bridged["spec"]["template"]["metadata"]["annotations"] = {
            "kubevirt.io/allow-pod-bridge-network-live-migration": ""
        }
        bridged["spec"]["template"]["spec"]["domain"]["devices"]["interfaces"] = [{"name": "default", "bridge": {}}]
        warned(edith.create(bridged), "pod-bridge-annotation", "web")


class TestRoad23Disabled:
    """Changes of webhook configurations never pass admission webhooks: migguard cannot see them."""

    def test_no_webhook_is_asked_about_webhooks(self, scene: Scene) -> None:
        allowed(scene.admin("label", "validatingwebhookconfiguration", "migguard", f"touched={scene.namespace}"))
        assert scene.webhook.records(name="migguard") == []


class TestDrains:
    """A node with many VMs is emptied."""

    def test_a_drain_of_fifty_vms_is_never_refused_and_the_same_by_a_person_is_judged(
        self, post_copy: Configuration, alice: Kubectl
    ) -> None:
        scene = post_copy.scene
        names = [f"vm-{number}" for number in range(50)]
        scene.vms(names, access_mode="ReadWriteOnce", labels=CRITICAL)
        virt_controller = scene.controller("kubevirt-controller")
        drained = allowed(virt_controller.create(scene.listed([evacuation(name, "node-a") for name in names])))
        assert len(drained.splitlines()) == 50
        scene.admin.must("delete", "vmim", "--all", "--wait=false")
        mine = alice.create(scene.listed([vmim(f"move-{name}", name) for name in names]))
        assert not mine.ok
        assert mine.stderr.count("denied the request") == 50
        assert mine.stdout == ""

    def test_the_operator_goes_on_on_an_unsafe_cluster(self, post_copy: Configuration) -> None:
        scene = post_copy.scene
        scene.vm("ledger", labels=CRITICAL)
        operator = post_copy.admin.as_service_account(INSTALL_NAMESPACE, "hyperconverged-cluster-operator")
        hco, kv = "hyperconvergeds.v1beta1.hco.kubevirt.io", "kubevirts.v1.kubevirt.io"
        conditions = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
        allowed(merge(operator, hco, HCO_NAME, conditions, "--subresource=status"))
        allowed(merge(operator, hco, HCO_NAME, {"metadata": {"finalizers": ["kubevirt.io/hyperconverged"]}}))
        allowed(merge(operator, hco, HCO_NAME, {"metadata": {"finalizers": None}}))
        allowed(merge(operator, kv, KUBEVIRT_NAME, {"metadata": {"labels": {"app": "kubevirt"}}}))
        allowed(merge(operator, kv, KUBEVIRT_NAME, {"spec": {"infra": {"replicas": 2}}}))


def workload_update(name: str) -> dict[str, object]:
    """A migration as the workload updater creates it."""
    wanted = evacuation(name, "node-a")
    wanted["metadata"] |= {
        "generateName": "kubevirt-workload-update-",
        "annotations": {"kubevirt.io/workloadUpdateMigration": ""},
    }
    return wanted
