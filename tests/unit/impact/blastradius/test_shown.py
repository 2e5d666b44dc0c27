"""How the blast radius of manifests is shown."""

from __future__ import annotations

import json

import pytest

from tests.support.builders import CRITICAL, hyperconverged, kubevirt, migration_policy, namespace, vm, vmi
from tests.unit.impact.blastradius.test_flight import FROZEN, NEW, state
from tests.unit.impact.blastradius.test_radius import GOLD, HCO, SAFE, radius
from webhook.impact.blastradius.flight import in_flight
from webhook.impact.blastradius.shown import as_json, as_markdown, as_table
from webhook.output.comment import MAX_CHARACTERS

MANY = [vmi(f"vm{number:02}", labels=CRITICAL if number == 11 else None) for number in range(12)]


def test_a_table_names_critical_vms_first_and_no_more_than_ten() -> None:
    text = as_table(
        radius([SAFE, namespace(), *MANY], [kubevirt({"progressTimeout": 9}, namespace="openshift-cnv")]), []
    )
    sentence = (
        "progressTimeout: 150 s -> 9 s (KubeVirt default -> KubeVirt openshift-cnv/kubevirt "
        "spec.configuration.migrations.progressTimeout)"
    )
    names = ", ".join(f"prod/vm{number:02}" for number in range(9))
    assert text.splitlines() == [
        "KubeVirt openshift-cnv/kubevirt (changed): changes 12 of 12 running VMs, 1 critical",
        "",
        "CLUSTER",
        f"  {sentence}",
        "",
        "MIGRATION SETTINGS IN FORCE",
        f"  {sentence} for 12 VMs, 1 critical",
        f"    prod/vm11 (critical), {names} and 2 more",
    ]


def test_what_endangers_a_vm_is_marked() -> None:
    text = as_table(radius([HCO, SAFE, namespace(), *MANY], [hyperconverged({"allowPostCopy": True})]), [])
    source = "HyperConverged openshift-cnv/kubevirt-hyperconverged spec.liveMigrationConfig.allowPostCopy"
    assert f"  ! allowPostCopy: false -> true ({source}) for 12 VMs, 1 critical" in text.splitlines()


def test_policies_flags_and_protection_have_their_sentences() -> None:
    gold = migration_policy("gold", selectors=GOLD, allowPostCopy=False)
    other = migration_policy("gold", selectors={"virtualMachineInstanceSelector": {"tier": "tin"}}, allowPostCopy=False)
    cluster = [
        SAFE,
        gold,
        namespace(),
        vmi("db", labels={"tier": "gold", **CRITICAL}),
        vmi("web", labels={"tier": "tin"}),
    ]
    text = as_table(radius(cluster, [other, vm("web", template_labels=CRITICAL)]), [])
    assert (
        "  MigrationPolicy gold no longer applies, and no other does for 1 VM, 1 critical\n    prod/db (critical)"
        in text
    )
    assert "  MigrationPolicy gold begins to apply for 1 VM" in text
    assert "! MigrationPolicy gold no longer rules out post-copy or a pause" in text
    gone = as_table(radius([*cluster], [vmi("db", labels={"tier": "gold"})]), [])
    assert "! is no longer critical (label migguard.io/critical=true on VirtualMachineInstance prod/db is gone)" in gone


def test_a_replacement_names_both_policies() -> None:
    low = migration_policy("low", selectors={}, allowAutoConverge=True)
    gold = migration_policy("gold", selectors=GOLD, allowAutoConverge=True)
    text = as_table(radius([SAFE, low, namespace(), vmi("db", labels={"tier": "gold"})], [gold]), [])
    assert "  MigrationPolicy gold applies in the place of low for 1 VM\n    prod/db" in text


def test_migrations_under_way_say_what_they_keep() -> None:
    found = radius(state("Running", FROZEN), [NEW])
    assert (
        "  prod/db (critical): move (Running) keeps allowPostCopy, allowWorkloadDisruption as laid down at hand-off "
        "and takes the new disableTLS"
    ) in as_table(found, in_flight(found)).splitlines()


def test_nothing_is_one_line_and_notes() -> None:
    assert as_table(radius([SAFE, namespace(), *MANY], [SAFE, namespace()]), []) == (
        "2 objects, unchanged: nothing changes for 12 running VMs"
    )


def test_json_has_every_name() -> None:
    found = radius(state("Running", FROZEN), [NEW])
    content = json.loads(as_json(found, in_flight(found)))
    assert content["written"] == [{"object": "KubeVirt kubevirt/kubevirt", "operation": "UPDATE", "changed": True}]
    assert content["summary"] == {"running": 2, "affected": 2, "criticalAffected": 1}
    first = content["settings"][0]
    assert (first["setting"], first["before"]["value"], first["after"]["value"]) == ("allowPostCopy", False, True)
    assert (first["dangerous"], first["clusterWide"], first["count"], first["criticalCount"]) == (True, False, 2, 1)
    assert first["vms"] == [{"vm": "prod/db", "critical": True}, {"vm": "prod/web", "critical": False}]
    assert content["inFlight"][0]["takes"] == ["disableTLS"]
    many = radius([SAFE, namespace(), *MANY], [kubevirt({"progressTimeout": 9}, namespace="openshift-cnv")])
    assert len(json.loads(as_json(many, []))["settings"][0]["vms"]) == 12


def test_what_counts_for_the_cluster_is_told_there_only() -> None:
    found = radius(
        [SAFE, namespace(), *MANY], [kubevirt({"parallelMigrationsPerCluster": 9}, namespace="openshift-cnv")]
    )
    text = as_table(found, [])
    assert "  parallelMigrationsPerCluster: 5 -> 9 (" in text
    assert "MIGRATION SETTINGS IN FORCE" not in text
    assert json.loads(as_json(found, []))["settings"][0]["clusterWide"] is True


@pytest.mark.parametrize("count", [2, 400])
def test_markdown_is_a_comment_of_bounded_size(count: int) -> None:
    policies = [
        migration_policy(
            f"p{number}", selectors={"virtualMachineInstanceSelector": {"n": str(number)}}, progressTimeout=1
        )
        for number in range(count)
    ]
    runs = [vmi(f"vm{number}", labels={"n": str(number)}) for number in range(count)]
    text = as_markdown(radius([SAFE, namespace(), *runs], policies), [])
    assert text.startswith("<!-- migguard diff manifests -->\n### migguard diff: changes ")
    assert "begins to apply" in text
    assert len(text) <= MAX_CHARACTERS + 500
