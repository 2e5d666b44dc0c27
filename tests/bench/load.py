"""Load from threads over kept-alive TLS connections, and the CPU time that the server spent on it."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch of requests: each one's latency, and CPU seconds of the server's processes for all of them."""

    latencies: list[float]
    cpu: float


def run(port: int, ca: Path, bodies: Sequence[bytes], connections: int, pids: Sequence[int]) -> Sample:
    """Send each body once, spread over this many connections, one request at a time on each."""
    context = ssl.create_default_context(cafile=str(ca))
    latencies: list[list[float]] = [[] for _ in range(connections)]
    failures: list[str] = []

    def work(number: int) -> None:
        client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
        for body in bodies[number::connections]:
            started = time.perf_counter()
            client.request("POST", "/validate?timeout=10s", body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            content = answer.read()
            latencies[number].append(time.perf_counter() - started)
            if answer.status != http.HTTPStatus.OK or b'"allowed": true' not in content:
                failures.append(content.decode(errors="replace")[:500])
                return
        client.close()

    before = _cpu_seconds(pids)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"bench: a request was not answered as it must be: {failures[0]}")
    return Sample([one for each in latencies for one in each], _cpu_seconds(pids) - before)


def processes(parent: int) -> list[int]:
    """A server's parent process and its workers."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
    return [parent, *map(int, children)]


def resident_bytes(pids: Sequence[int]) -> int:
    """Resident memory of the largest of these processes, which is the worker."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in pids)
    return max(pages) * os.sysconf("SC_PAGESIZE")


def _cpu_seconds(pids: Sequence[int]) -> float:
    return sum(_ticks(pid) for pid in pids) / TICKS


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime and stime, see proc(5)
