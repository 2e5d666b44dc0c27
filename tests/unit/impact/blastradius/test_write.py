"""The cluster before and after manifests are applied."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.builders import NOW, PARAMETERS, Json, hyperconverged, kubevirt, migration_policy, namespace, vmi
from tests.support.view import View
from webhook.admission.pipeline import World
from webhook.errors import InputError
from webhook.impact.blastradius.write import Worlds, applied, deleted, worlds
from webhook.kubevirt.migrationconfig import cluster_settings
from webhook.kubevirt.migrationfields import DEFAULTS
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import NAMESPACE, VMI

HCO = hyperconverged({"allowPostCopy": False})
SAFE = kubevirt({"allowPostCopy": False}, namespace="openshift-cnv")
BROKEN_PATCH = '[{"op": "add"'


def between(state: Sequence[Json], new: Sequence[Json], old: Sequence[Json] | None = None) -> Worlds:
    view = View(*state)
    return worlds(applied(new, old, view), World(view, RBACAuthorizer(view)), PARAMETERS, NOW)


def values(found: Worlds, name: str) -> list[object]:
    return [cluster_settings(context)[name].value for context in (found.before, found.after)]


def test_the_kubevirt_cr_is_what_hyperconverged_renders() -> None:
    found = between([HCO, SAFE], [hyperconverged({"allowPostCopy": True, "bandwidthPerMigration": "64Mi"})])
    assert values(found, "allowPostCopy") == [False, True]
    assert values(found, "bandwidthPerMigration") == [0, 64 * 2**20]
    assert values(found, "completionTimeoutPerGiB") == [150, 150]


def test_a_kubevirt_cr_that_is_not_rendered_yet_is_compared_as_it_will_be() -> None:
    late = kubevirt({"allowPostCopy": False, "progressTimeout": 77}, namespace="openshift-cnv")
    found = between([HCO, late], [hyperconverged({"allowPostCopy": True})])
    assert values(found, "progressTimeout") == [150, 150]
    (notice,) = found.notices
    assert notice == (
        "KubeVirt openshift-cnv/kubevirt is not what HyperConverged renders today (it differs in progressTimeout): "
        "compared is what its operator makes of either object"
    )


def test_a_kubevirt_cr_that_is_rendered_already_needs_no_word() -> None:
    rendered = kubevirt(
        {
            "allowPostCopy": False,
            "allowAutoConverge": False,
            "parallelMigrationsPerCluster": 5,
            "parallelOutboundMigrationsPerNode": 2,
            "completionTimeoutPerGiB": 150,
            "progressTimeout": 150,
        },
        namespace="openshift-cnv",
    )
    assert between([HCO, rendered], [hyperconverged({"allowPostCopy": True})]).notices == ()


def test_without_hyperconverged_the_kubevirt_cr_is_what_is_written() -> None:
    found = between([SAFE], [kubevirt({"allowPostCopy": True}, namespace="openshift-cnv")])
    assert values(found, "allowPostCopy") == [False, True]
    assert found.notices == ()


def test_a_hyperconverged_that_is_deleted_takes_kubevirt_away() -> None:
    state = View(hyperconverged({"progressTimeout": 9}), kubevirt({"progressTimeout": 9}, namespace="openshift-cnv"))
    writes = deleted([HCO], state)
    found = worlds(writes, World(state, RBACAuthorizer(state)), PARAMETERS, NOW)
    assert values(found, "progressTimeout") == [9, DEFAULTS["progressTimeout"].value]
    assert "which its operators refuse while VMs run" in found.notices[0]


def test_the_release_is_that_of_the_installation_and_not_of_the_manifest() -> None:
    """From release 1.19 on HCO says allowWorkloadDisruption: false of itself, so post-copy alone brings no pause."""
    status = {"versions": [{"name": "operator", "version": "1.19.0"}]}
    stored, forged = {**HCO, "status": status}, hyperconverged({"allowPostCopy": True})
    assert values(between([stored, SAFE], [forged]), "allowWorkloadDisruption") == [False, False]
    older = {**forged, "status": status}
    assert values(between([HCO, SAFE], [older]), "allowWorkloadDisruption") == [False, True]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        pytest.param(hyperconverged({}, patch=BROKEN_PATCH), "annotation", id="an annotation that is no patch"),
        pytest.param(hyperconverged({"allowPostCopy": "yes"}), "allowPostCopy is not a boolean", id="a text"),
        pytest.param(
            kubevirt({"progressTimeout": True}, namespace="openshift-cnv"), "progressTimeout is not", id="in KubeVirt"
        ),
        pytest.param(migration_policy("p", allowPostCopy=3), r"spec\.allowPostCopy is not", id="in a MigrationPolicy"),
    ],
)
def test_what_cannot_be_told_is_an_error_that_names_the_object(new: Json, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        between([HCO, SAFE], [new])
    assert caught.value.where.endswith(new["metadata"]["name"])


def test_what_could_not_be_told_before_and_stays_is_only_said() -> None:
    broken = hyperconverged({}, patch=BROKEN_PATCH)
    found = between([broken, SAFE], [broken])
    assert any("annotation" in notice for notice in found.notices)
    assert values(found, "allowPostCopy") == [False, False]


def test_a_kubevirt_cr_that_hyperconverged_renders_is_set_back() -> None:
    (notice,) = between([HCO, SAFE], [kubevirt({"allowPostCopy": True}, namespace="openshift-cnv")]).notices
    assert notice == (
        "HyperConverged openshift-cnv/kubevirt-hyperconverged renders KubeVirt openshift-cnv/kubevirt: its operator "
        "sets back what is changed here, so change it there"
    )


def test_an_object_that_is_not_in_force_is_said_to_be_so() -> None:
    (notice,) = between([SAFE], [kubevirt({"allowPostCopy": True}, namespace="zoo")]).notices
    assert notice == "KubeVirt zoo/kubevirt is not the one in force: that is KubeVirt openshift-cnv/kubevirt"


def test_components_that_are_customized_are_told() -> None:
    patch = {"resourceType": "Deployment", "resourceName": "virt-api", "patch": "{}", "type": "merge"}
    new = kubevirt({"allowPostCopy": False}, namespace="openshift-cnv", customizeComponents={"patches": [patch]})
    assert between([SAFE], [new]).components == ("Deployment virt-api",)


def test_a_vmi_that_does_not_run_cannot_be_written() -> None:
    with pytest.raises(InputError, match="VirtualMachineInstance prod/db is not in the cluster"):
        between([SAFE], [vmi("db")])


def test_of_a_vmi_only_its_labels_are_taken_from_a_manifest() -> None:
    stored = vmi("db", labels={"a": "b", "kubevirt.io/nodeName": "node01"})
    found = between([SAFE, stored], [vmi("db", labels={"c": "d"}, phase="Failed")])
    written = found.after.view.get(VMI, "prod", "db")
    assert written is not None
    assert written["metadata"]["labels"] == {"c": "d", "kubevirt.io/nodeName": "node01"}
    assert written["status"]["phase"] == "Running"


def test_the_name_label_of_a_namespace_stays() -> None:
    stored = namespace(labels={"kubernetes.io/metadata.name": "prod", "a": "b"})
    written = between([stored], [namespace()]).after.view.get(NAMESPACE, "", "prod")
    assert written is not None
    assert written["metadata"]["labels"] == {"kubernetes.io/metadata.name": "prod"}


def test_what_only_the_old_file_has_is_deleted() -> None:
    gold = migration_policy("gold", selectors={}, allowPostCopy=True)
    writes = applied([SAFE], [SAFE, gold], View(SAFE))
    assert [(str(one), str(one.operation), one.changes) for one in writes] == [
        ("KubeVirt openshift-cnv/kubevirt", "UPDATE", False),
        ("MigrationPolicy gold", "DELETE", True),
    ]


def test_an_object_that_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(InputError, match="MigrationPolicy gold is to be deleted, and is not in the cluster"):
        deleted([migration_policy("gold")], View(SAFE))


def test_what_is_no_configuration_is_not_deleted() -> None:
    with pytest.raises(InputError, match="Namespace prod is no configuration that could be deleted"):
        deleted([namespace()], View(namespace()))


@pytest.mark.parametrize("odd", [None, 3, "x", [], {"a": None}])
def test_fields_of_a_wrong_type_are_no_accident(odd: object) -> None:
    new = {**HCO, "spec": odd, "metadata": {**HCO["metadata"], "annotations": odd, "labels": odd}}
    assert values(between([HCO, SAFE], [new]), "allowPostCopy") == [False, False]
