"""What ``migguard replay`` costs for a month of decisions, and what it costs to keep what it needs on record.

A few thousand decisions are really made; the month is made of them, each time with other names, times and ids. It is
replayed under the policies of then, and under a set with one policy more.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.cluster import VMS_PER_NAMESPACE, labelling, migration, write_cluster
from webhook.admission import review
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.audit.basis import Keeping
from webhook.audit.record import record
from webhook.cluster.manifests import store_from
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.policyset import PolicySet, load
from webhook.recording import basis, keeping

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=31)
ANOTHER = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: no-seven}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: [CREATE]}
  validations:
    - {expression: "!object.spec.vmiName.contains('7') || requester.username == 'bob'", message: not those with a seven}
"""  # noqa: E501 - YAML


@dataclass(frozen=True, slots=True)
class Made:
    """One decision that was really made."""

    request: AdmissionRequest
    phase: Phase
    decision: Decision


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="records in the log (default 100000)")
    parser.add_argument("--vms", type=int, default=500, help="VMs that are really decided about (default 500)")
    arguments = parser.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory(prefix="migguard-bench-") as temporary:
        folder = Path(temporary)
        write_cluster(folder / "cluster", arguments.vms)
        store, _ = store_from([folder / "cluster"], RESOURCES)
        world = World(store, RBACAuthorizer(store))
        then, candidate = folder / "then", folder / "candidate"
        for copy in (then, candidate):
            shutil.copytree(ROOT / "policies", copy)
        (candidate / "no-seven.yaml").write_text(ANOTHER)
        policies = load([then], CATALOG)
        started = time.perf_counter()
        made = list(_decisions(policies, world, arguments.vms))
        console.print(f"{len(made)} decisions made in {time.perf_counter() - started:.1f} s")
        console.print(_records(made, policies, world))
        log = folder / "audit.jsonl"
        _write_month(log, made, policies, world, arguments.records)
        console.print(f"{arguments.records} records, {log.stat().st_size / 1e6:.0f} MB")
        table = Table(title="migguard replay")
        for column in ("policies", "jobs", "seconds", "CPU seconds", "records per second"):
            table.add_column(column, justify="left" if column == "policies" else "right")
        for name, tried in (("those of then", then), ("one more", candidate)):
            for jobs in (1, 2):
                seconds, cpu = _replay(log, tried, jobs)
                table.add_row(name, str(jobs), f"{seconds:.1f}", f"{cpu:.1f}", f"{arguments.records / seconds:.0f}")
        console.print(table)


def _decisions(policies: PolicySet, world: World, vms: int) -> Iterator[Made]:
    """Migrations by somebody who may and by somebody who may not, and labels put on namespaces."""
    for vm in range(vms):
        for user in ("alice", "bob"):
            body = json.loads(migration(vm))
            body["request"]["userInfo"] = _user(user)
            yield from _phases(policies, world, review.parse(json.dumps(body).encode()))
        if vm % VMS_PER_NAMESPACE == 0:
            yield from _phases(policies, world, review.parse(labelling(vm)))


def _user(name: str) -> dict[str, object]:
    return {"username": name, "groups": ["migrators"] * (name == "alice") + ["system:authenticated"]}


def _phases(policies: PolicySet, world: World, request: AdmissionRequest) -> Iterator[Made]:
    for phase in Phase:
        decision = decide(
            request,
            phase,
            policies=policies,
            world=world,
            now=START,
            deadline=Deadline.after(30),
            decision_id=f"{request.uid}-{phase}",
        )
        yield Made(request, phase, decision)


def _records(made: list[Made], policies: PolicySet, world: World) -> Table:
    """What it costs to put a decision on record, without and with what a replay needs."""
    keep = keeping(policies)
    table = Table(title="putting a decision on record")
    for column in ("what", "µs", "bytes"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, full in (("facts alone", False), ("all that a replay needs", True)):
        best, size = float("inf"), 0
        for _ in range(5):
            started = time.perf_counter()
            written = [_record(one, world, keep if full else None) for one in made]
            best = min(best, time.perf_counter() - started)
            size = sum(len(json.dumps(one, separators=(",", ":"))) for one in written)
        table.add_row(name, f"{best / len(made) * 1e6:.0f}", f"{size / len(made):.0f}")
    return table


def _record(made: Made, world: World, keep: Keeping | None) -> dict[str, object]:
    kept = basis(keep, world.view, made.request, made.decision.revision) if keep else None
    return record(made.request, made.phase, made.decision, time=START, replica="bench", cluster="", basis=kept)


def _write_month(log: Path, made: list[Made], policies: PolicySet, world: World, records: int) -> None:
    keep = keeping(policies)
    texts = [json.dumps(_record(one, world, keep), separators=(",", ":")) for one in made]
    with log.open("w") as stream:
        for number in range(records):
            one = made[number % len(made)]
            turn = f"x{number // len(made)}"
            time_then = (START + MONTH * (number / records)).isoformat(timespec="microseconds").replace("+00:00", "Z")
            text = texts[number % len(made)]
            text = text.replace("2026-03-01T00:00:00.000000Z", time_then).replace(one.request.uid, f"{number:036d}")
            vm = (one.request.object or {}).get("spec", {}).get("vmiName")
            if vm:
                text = text.replace(f'{vm}"', f'{vm}{turn}"').replace(f"{vm} ", f"{vm}{turn} ")
            stream.write(text + "\n")


def _replay(log: Path, policies: Path, jobs: int) -> tuple[float, float]:
    """Seconds, and those of all its processes together on a processor."""
    command = [sys.executable, "-m", "webhook", "replay", str(log), "--policies", str(policies), "--jobs", str(jobs)]
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--fail-on", "none"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {done.stderr}")
    seconds, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


if __name__ == "__main__":
    main()
