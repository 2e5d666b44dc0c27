"""Shows the main job: starts the webhook on the sample cluster and lets it decide the sample requests.

What is printed for each is what the user of kubectl would see. ``make run`` calls this.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonpatch
import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STATE = ROOT / "run" / "demo"
PREFERRED_PORT = 8443
START_SECONDS = 60


def main() -> int:
    """Run the demo; 0 when every sample was decided."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--once", action="store_true", help="stop after the samples")
    once: bool = parser.parse_args().once
    audit_log = STATE / "audit.jsonl"
    audit_log.unlink(missing_ok=True)
    with _webhook(audit_log) as address:
        click.secho(f"\nmigguard decides at {address} for the sample cluster in examples/cluster\n", bold=True)
        for path in sorted((HERE / "requests").glob("*.yaml")):
            _show(path, address)
        records = len(audit_log.read_text("utf-8").splitlines())
        click.secho("Where to look next", bold=True)
        click.echo(f"  audit log   {audit_log.relative_to(ROOT)} ({records} records, one JSON line per decision)")
        click.echo(
            "  policies    policies/NAME/policy.yaml: change one while this runs, it takes effect within a second"
        )
        click.echo("  one more    .venv/bin/migguard review -f examples/requests/2-no-right.yaml \\")
        click.echo("                --policies policies --cluster examples/cluster")
        if not once:
            click.echo("\nserving until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return 0


@contextlib.contextmanager
def _webhook(audit_log: Path) -> Iterator[str]:
    """The real server, as an administrator would start it; stopped at the end."""
    STATE.mkdir(parents=True, exist_ok=True)
    port, health = _port(PREFERRED_PORT), _port(0)
    command = [sys.executable, "-m", "webhook", "serve", "--policies", str(ROOT / "policies")]
    command += ["--cluster", str(HERE / "cluster"), "--listen", f"127.0.0.1:{port}"]
    command += ["--health-listen", f"127.0.0.1:{health}", "--state-dir", str(STATE), "--audit-log", str(audit_log)]
    log_path = STATE / "server.log"
    with log_path.open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603 - our own command
    try:
        _wait_ready(server, f"http://127.0.0.1:{health}/readyz", log_path)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(START_SECONDS)


def _port(preferred: int) -> int:
    """The preferred port if nobody has it, else a free one."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SystemExit("demo: no free port on 127.0.0.1")


def _wait_ready(server: subprocess.Popen[bytes], url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
            return
        time.sleep(0.1)
    raise SystemExit(f"demo: the webhook did not become ready; its log:\n{log_path.read_text('utf-8')}")


def _show(path: Path, address: str) -> None:
    """Print one sample as its user would live it: what was typed, and what kubectl answered."""
    title, command = (line.removeprefix("#").strip() for line in path.read_text("utf-8").splitlines()[:2])
    review: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    click.secho(f"{path.stem.split('-')[0]}. {title}", bold=True)
    click.echo(f"$ {command}")
    mutated = _ask(address, "mutate", review)
    patch = json.loads(base64.b64decode(mutated["patch"])) if "patch" in mutated else []
    review["request"]["object"] = jsonpatch.apply_patch(review["request"]["object"], patch)
    validated = _ask(address, "validate", review) if mutated["allowed"] else mutated
    for warning in [*mutated.get("warnings", []), *validated.get("warnings", [])]:
        click.secho(f"Warning: {warning}", fg="yellow")
    request = review["request"]
    if validated["allowed"]:
        verb = {"CREATE": "created", "UPDATE": "configured"}[request["operation"]]
        click.secho(
            f"{request['kind']['kind'].lower()}.{request['kind']['group']}/{request['name']} {verb}", fg="green"
        )
        for operation in patch:
            click.echo(f"(stored with {operation['path'].removeprefix('/').replace('/', '.')}: {operation['value']})")
    else:
        status = validated["status"]
        webhook = "migrations" if request["kind"]["group"] == "kubevirt.io" else "configuration"
        click.secho(
            f'Error from server ({status["reason"]}): admission webhook "people.{webhook}.validate.migguard.io" '
            f"denied the request: {status['message']}",
            fg="red",
        )
    click.echo()


def _ask(address: str, phase: str, review: dict[str, Any]) -> dict[str, Any]:
    """Post a review as the kube-apiserver does, and return the response part of the answer."""
    context = ssl.create_default_context(cafile=str(STATE / "ca.crt"))
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{address}/{phase}?timeout=10s",
        data=json.dumps(review).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310
            response: dict[str, Any] = json.load(answer)["response"]
            return response
    except urllib.error.HTTPError as error:
        raise SystemExit(f"demo: the webhook answered {error.code}: {error.read().decode()}") from error


if __name__ == "__main__":
    sys.exit(main())
