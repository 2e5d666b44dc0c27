"""What reviews with full facts cost: latency and CPU, at 100 and 10,000 VMs, beside the floor, in one run.

The floor is the same server (Flask, gunicorn, TLS) that answers without reading the question. Rounds are interleaved,
so that a noisy machine bothers all alike; only the ratios mean anything on another machine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.cluster import labelling, migration, write_cluster
from tests.bench.load import Sample, processes, resident_bytes, run

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = (1, 8)
REVIEWS = {"VMIM CREATE": migration, "Namespace UPDATE": labelling}
START_SECONDS = 300


@dataclass(slots=True)
class Subject:
    """One running server and what was measured of it, by review and number of connections."""

    name: str
    vms: int
    port: int
    ca: Path
    pids: list[int]
    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="requests per round and server (default 400)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default 5)")
    arguments = parser.parse_args()
    console = Console(width=100)
    with tempfile.TemporaryDirectory(prefix="migguard-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        subjects = []
        for label, vms, module in (
            ("floor", 100, "tests.bench.floor"),
            ("migguard, 100 VMs", 100, "webhook"),
            ("migguard, 10,000 VMs", 10_000, "webhook"),
        ):
            console.print(f"starting: {label}")
            subjects.append(stack.enter_context(_server(folder / label.replace(" ", "-"), label, vms, module)))
        for subject, name in product(subjects, REVIEWS):  # warm up
            run(subject.port, subject.ca, _bodies(subject, name, 100), 1, subject.pids)
        for number in range(arguments.rounds):
            console.print(f"round {number + 1} of {arguments.rounds}")
            for name, connections, subject in product(REVIEWS, CONNECTIONS, subjects):
                bodies = _bodies(subject, name, arguments.requests)
                sample = run(subject.port, subject.ca, bodies, connections, subject.pids)
                subject.samples.setdefault((name, connections), []).append(sample)
        for name, connections in product(REVIEWS, CONNECTIONS):
            console.print(_table(subjects, name, connections))
        for subject in subjects:
            console.print(f"resident memory, {subject.name}: {resident_bytes(subject.pids) / 1e6:.0f} MB")


def _bodies(subject: Subject, name: str, count: int) -> list[bytes]:
    choose = random.Random(count)  # the same VMs in each run
    return [REVIEWS[name](choose.randrange(subject.vms)) for _ in range(count)]


@contextlib.contextmanager
def _server(folder: Path, name: str, vms: int, module: str) -> Iterator[Subject]:
    write_cluster(folder / "cluster", vms)
    port, health = _free_port(), _free_port()
    command = [sys.executable, "-m", module, "serve", "--policies", str(ROOT / "policies")]
    command += ["--cluster", str(folder / "cluster"), "--listen", f"127.0.0.1:{port}"]
    command += ["--health-listen", f"127.0.0.1:{health}", "--state-dir", str(folder / "state")]
    command += ["--audit-log", str(folder / "audit.jsonl")]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait_ready(server, health, folder / "server.log")
        yield Subject(name, vms, port, folder / "state" / "ca.crt", processes(server.pid))
    finally:
        server.terminate()
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_ready(server: subprocess.Popen[bytes], health: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{health}/readyz", timeout=2):
            return
        time.sleep(0.1)
    raise SystemExit(f"bench: the server did not become ready:\n{log.read_text()}")


def _table(subjects: Sequence[Subject], name: str, connections: int) -> Table:
    table = Table(title=f"review of a {name} with full facts, {connections} connection(s)")
    for column in ("server", "p50 ms", "p95 ms", "p99 ms", "per CPU-second", "p50 x", "p99 x", "CPU x"):
        table.add_column(column, justify="left" if column == "server" else "right")
    floor = subjects[0].samples[name, connections]
    for subject in subjects:
        samples = subject.samples[name, connections]
        cells = [f"{_percentile(samples, share) * 1000:.2f}" for share in (50, 95, 99)]
        cells.append(f"{1 / _cpu(samples):.0f}")
        cells += [f"{_percentile(samples, share) / _percentile(floor, share):.2f}" for share in (50, 99)]
        cells.append(f"{_cpu(samples) / _cpu(floor):.2f}")
        table.add_row(subject.name, *cells)
    return table


def _percentile(samples: Sequence[Sample], share: int) -> float:
    return statistics.quantiles([one for sample in samples for one in sample.latencies], n=100)[share - 1]


def _cpu(samples: Sequence[Sample]) -> float:
    return sum(sample.cpu for sample in samples) / sum(len(sample.latencies) for sample in samples)


if __name__ == "__main__":
    main()
