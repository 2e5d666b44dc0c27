"""Taking a snapshot: from manifests too, and with nothing in it that is secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.cluster.manifests import store_from
from webhook.errors import UsageError
from webhook.kubevirt.resources import RESOURCES, VM, VMI
from webhook.offline.snapshot import IDENTIFIED, KEPT, take
from webhook.offline.state import ClusterSource

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECRET = "hunter2"
SPEC: dict[str, Any] = {
    "evictionStrategy": "LiveMigrate",
    "accessCredentials": [{"sshPublicKey": {"source": {"secret": {"secretName": SECRET}}}}],
    "domain": {
        "devices": {"disks": [{"name": "root", "serial": SECRET}]},
        "firmware": {"serial": SECRET, "kernelBoot": {"kernelArgs": f"password={SECRET}"}},
        "launchSecurity": {"sev": {"session": SECRET, "dhCert": SECRET, "policy": {"encryptedState": True}}},
    },
    "readinessProbe": {"exec": {"command": ["curl", "-u", SECRET]}},
    "volumes": [
        {"name": "root", "persistentVolumeClaim": {"claimName": "root"}},
        {"name": "init", "cloudInitNoCloud": {"userData": f"password: {SECRET}", "networkDataBase64": SECRET}},
        {"name": "drive", "cloudInitConfigDrive": {"userDataBase64": SECRET}},
        {"name": "image", "containerDisk": {"image": f"registry/{SECRET}", "imagePullSecret": SECRET}},
    ],
}
ANNOTATIONS = {
    "example.com/token": SECRET,
    "kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{SECRET}"}}',
}
OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "prod", "annotations": ANNOTATIONS},
        "spec": {
            "template": {"metadata": {"labels": {"a": "b"}, "annotations": ANNOTATIONS}, "spec": SPEC},
            "dataVolumeTemplates": [
                {
                    "metadata": {"name": "root"},
                    "spec": {
                        "source": {"http": {"url": f"https://user:{SECRET}@images"}},
                        "storage": {"accessModes": ["ReadWriteMany"]},
                    },
                }
            ],
        },
    },
    {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "db", "namespace": "prod", "annotations": ANNOTATIONS, "uid": "u-1"},
        "spec": SPEC,
        "status": {"phase": "Running", "guestOSInfo": {"kernelVersion": SECRET}},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "agent", "namespace": "prod", "annotations": ANNOTATIONS, "uid": "u-2"},
        "spec": {
            "containers": [
                {
                    "name": "agent",
                    "image": f"registry/{SECRET}",
                    "args": [SECRET],
                    "env": [{"name": "PASSWORD", "value": SECRET}],
                    "resources": {"requests": {"memory": "1Gi"}},
                }
            ],
            "volumes": [{"name": "v", "secret": {"secretName": SECRET}}],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "namespace": "prod"},
        "stringData": {"password": SECRET},
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "prod"},
        "data": {"password": SECRET},
    },
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "prod", "annotations": ANNOTATIONS},
    },
]


@pytest.fixture(name="dump")
def manifests_with_secrets(tmp_path: Path) -> Path:
    path = tmp_path / "dump.yaml"
    path.write_text(yaml.safe_dump_all(OBJECTS))
    return path


def taken(dump: Path, folder: Path, **options: Any) -> dict[str, str]:
    take(ClusterSource(manifests=(dump,)), folder, **{"force": False, "now": NOW, "tell": print, **options})
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_nothing_secret_is_in_it_wherever_people_put_secrets(dump: Path, tmp_path: Path) -> None:
    found = taken(dump, tmp_path / "snap")
    assert "db" in found["namespaces/prod.yaml"]
    assert {name: text for name, text in found.items() if SECRET in text or "last-applied" in text} == {}
    assert "Secret" not in "".join(found.values())


def test_the_facts_store_is_the_same_from_the_snapshot_as_from_the_manifests(dump: Path, tmp_path: Path) -> None:
    taken(dump, tmp_path / "snap")
    direct, _ = store_from([dump], RESOURCES)
    through, _ = store_from([tmp_path / "snap"], RESOURCES)
    for watched in RESOURCES:
        known = [dict(obj) for obj in direct.list(watched)]
        if watched not in IDENTIFIED:
            for obj in known:
                obj["metadata"] = {key: item for key, item in obj["metadata"].items() if key != "uid"}
        assert known == list(through.list(watched)), watched.kind


def test_a_vm_keeps_of_its_template_what_makes_a_machine_and_its_claims(dump: Path, tmp_path: Path) -> None:
    taken(dump, tmp_path / "snap")
    (vm,) = store_from([tmp_path / "snap"], KEPT)[0].list(VM)
    spec = vm["spec"]["template"]["spec"]
    assert spec["evictionStrategy"] == "LiveMigrate"
    assert spec["domain"]["launchSecurity"] == {"sev": {"policy": {"encryptedState": True}}}
    assert [volume["name"] for volume in spec["volumes"]] == ["root", "init", "drive", "image"]
    assert vm["spec"]["dataVolumeTemplates"] == [
        {"metadata": {"name": "root"}, "spec": {"storage": {"accessModes": ["ReadWriteMany"]}}}
    ]


def test_what_is_kept_of_a_template_is_what_is_kept_of_a_vmi() -> None:
    (vm,) = (row for row in KEPT if row.kind == VM.kind)
    of_spec = {path for path in VMI.keep if path.startswith("spec.")}
    assert {f"spec.template.{path}" for path in of_spec} <= set(vm.keep)


def test_a_snapshot_of_a_snapshot_is_the_same(dump: Path, tmp_path: Path) -> None:
    first = taken(dump, tmp_path / "first")
    assert taken(tmp_path / "first", tmp_path / "second") == first


def test_the_header_says_when_by_what_and_how_much(dump: Path, tmp_path: Path) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    header = take(ClusterSource(manifests=(dump,)), tmp_path / "snap", force=False, now=tokyo, tell=print)
    assert header.taken == "2026-03-02T12:00:00Z"
    assert (header.server, header.server_version, dict(header.unreadable)) == ("", "", {})
    assert {name: count for name, count in header.counts.items() if count} == {
        "namespaces": 1,
        "pods": 1,
        "virtualmachineinstances.kubevirt.io": 1,
        "virtualmachines.kubevirt.io": 1,
    }


def test_a_folder_with_other_files_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="is not a snapshot"):
        take(ClusterSource(manifests=(tmp_path / "missing",)), tmp_path, force=False, now=NOW, tell=print)
