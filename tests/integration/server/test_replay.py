"""The log that a running server wrote can be replayed: by the same policies word by word, by others with what flips."""

import http.client
import json
import ssl
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from subprocess import run

import pytest

from tests.support.process import Process, free_port
from tests.support.reviews import body, small_world

MIGGUARD = Path(sys.executable).with_name("migguard")


@pytest.fixture(name="world")
def a_server_that_decided(tmp_path: Path) -> Path:
    """Post three reviews to both phases of a server, stop it, and return the folder with its policies and its log."""
    policies, cluster = small_world(tmp_path)
    port, health = free_port(), free_port()
    command: list[str | Path] = [
        MIGGUARD,
        "serve",
        "--policies",
        policies,
        "--cluster",
        cluster,
        "--listen",
        f"127.0.0.1:{port}",
    ]
    command += ["--health-listen", f"127.0.0.1:{health}", "--audit-log", tmp_path / "audit.jsonl"]
    server = Process("migguard", [*command, "--state-dir", tmp_path / "state"], log=tmp_path / "log")

    def ready() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{health}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    server.start(ready, seconds=30)
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "state" / "ca.crt"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        for name in ("move", "forbidden", "stay"):
            for phase in ("mutate", "validate"):
                connection.request("POST", f"/{phase}", body(name), {"Content-Type": "application/json"})
                connection.getresponse().read()
        connection.close()
    finally:
        server.stop()
    return tmp_path


def replay(folder: Path, *options: str) -> tuple[int, dict[str, object]]:
    done = run(
        [MIGGUARD, "replay", folder / "audit.jsonl", "--policies", folder / "policies", "-o", "json", *options],
        capture_output=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_the_log_of_a_server_is_replayed(world):
    code, found = replay(world, "--verify")
    assert (code, found["sameRevision"]) == (0, {"records": 6, "reproduced": 6})
    policy = world / "policies" / "policy.yaml"
    policy.write_text(policy.read_text().replace("!= 'forbidden'", "!= 'stay'"))
    code, found = replay(world)
    assert code == 1
    assert found["changes"] == {
        "allowedToDenied": 1,
        "deniedToAllowed": 1,
        "warningGained": 0,
        "warningLost": 0,
        "patchChanged": 0,
    }
