"""A real kube-apiserver and etcd on loopback, in a temporary folder, for one test run.

No controller-manager runs: namespaces stay Terminating when deleted, nothing is garbage-collected, and aggregated
ClusterRoles are only filled when :mod:`tests.support.aggregation` is asked to. Tests use names of their own and clean
up what is cluster-wide.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubectl import Kubectl
from tests.support.pki import Authority, service_account_keys
from tests.support.process import Process, ProcessError, free_port

_HERE = Path(__file__).parent
_ATTEMPTS = 3  # a free port may be taken between choosing it and listening on it

API_AUDIT_POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Metadata",
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
            "resources": [{"group": group} for group in ("kubevirt.io", "hco.kubevirt.io", "migrations.kubevirt.io")],
        },
        {"level": "None"},
    ],
}
"""Which requests the API audit log holds: writes of the guarded groups, with the annotations that webhooks add."""


def binaries() -> Path:
    """The folder with etcd and kube-apiserver, built first if they are not cached yet (progress on stderr)."""
    built = subprocess.run([_HERE / "controlplane" / "build.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise ProcessError(f"building the control plane failed with code {built.returncode}; its words are above")
    return Path(built.stdout.strip())


class ControlPlane:
    """One running kube-apiserver with its etcd. Not for use from several threads."""

    def __init__(self, folder: Path, *, audit_policy: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self._audit_policy = API_AUDIT_POLICY if audit_policy is None else audit_policy
        self._audit_log = folder / "api-audit.log"
        self._keys = service_account_keys(folder)
        self._serving = self.authority.serving(folder, "kube-apiserver")
        self._trust = ssl.create_default_context(cadata=self.authority.pem.decode())
        self._kubeconfigs: dict[tuple[str, tuple[str, ...]], Path] = {}
        self._port = 0
        self._etcd: Process | None = None
        self._apiserver: Process | None = None

    @property
    def url(self) -> str:
        """Where the kube-apiserver listens; the same over restarts."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def logs(self) -> dict[str, str]:
        """The end of each process's log, by name; without etcd connections that end in good order."""
        processes = (process for process in (self._etcd, self._apiserver) if process is not None)
        return {process.name: process.tail(lines=20, without="addrConn.createTransport") for process in processes}

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as a cluster admin."""
        return Kubectl(self.kubeconfig)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster admin (group ``system:masters``)."""
        return self.kubeconfig_for("kubernetes-admin", ["system:masters"])

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig that authenticates as ``user`` in ``groups`` by a client certificate.

        A service account can be named too: ``system:serviceaccount:NAMESPACE:NAME``.
        """
        key = (user, tuple(groups))
        if key not in self._kubeconfigs:
            certificate, private = self.authority.client(user, groups)
            credentials = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(private)}
            self._kubeconfigs[key] = self._write_kubeconfig(user, credentials)
        return self._kubeconfigs[key]

    def kubeconfig_with_token(self, name: str, token: str) -> Path:
        """Write a kubeconfig that authenticates by a bearer token, such as one of ``kubectl create token``."""
        return self._write_kubeconfig(name, {"token": token})

    def start(self) -> None:
        """Start both and wait until the kube-apiserver is ready."""
        assets = binaries()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_etcd(assets)
                self._port = free_port()
                self._apiserver = self._apiserver_process(assets)
                self._apiserver.start(self.ready, seconds=90)
            except ProcessError as error:
                self.stop()
                if "address already in use" not in str(error) or attempt == _ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """End both."""
        for process in (self._apiserver, self._etcd):
            if process is not None:
                process.stop()

    def stop_apiserver(self) -> None:
        """End the kube-apiserver at once (in good order it would wait for its watches); etcd keeps the objects."""
        self._running().kill()

    def start_apiserver(self) -> None:
        """Start the kube-apiserver again on the same port and wait until it is ready."""
        self._running().start(self.ready, seconds=90)

    def restart_apiserver(self) -> None:
        """End the kube-apiserver and start it again."""
        self.stop_apiserver()
        self.start_apiserver()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the kube-apiserver's clock: connections stay open and nothing answers."""
        with self._running().paused():
            yield

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5, context=self._trust) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def api_audit_events(self) -> list[dict[str, Any]]:
        """All events of the API audit log so far, oldest first."""
        text = self._audit_log.read_text() if self._audit_log.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def install(self, *names: str) -> None:
        """Apply manifests of this folder (``crds``, ``rbac/kubevirt.yaml``, …) and wait until CRDs are served."""
        for name in names:
            self.kubectl.must("apply", "--server-side", "-f", str(_HERE / name))
        self.kubectl.must("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def _running(self) -> Process:
        assert self._apiserver is not None, "the control plane is not started"
        return self._apiserver

    def _start_etcd(self, assets: Path) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        command: list[str | Path] = [
            assets / "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # the data lives as long as the test run
            "--log-level=warn",
        ]
        self._etcd_url = client
        self._etcd = Process("etcd", command, log=self.folder / "etcd.log")
        self._etcd.start(lambda: _answers(f"{client}/health"), seconds=30)

    def _apiserver_process(self, assets: Path) -> Process:
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(self._audit_policy))
        certificate, key = self._serving
        private, public = self._keys
        command: list[str | Path] = [
            assets / "kube-apiserver",
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self.authority.path}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={private}",
            f"--service-account-key-file={public}",
            # Both wait for controllers that do not run here: a pod's service account token, a PVC's finalizer.
            "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self._audit_log}",
            "--profiling=false",
        ]
        return Process("kube-apiserver", command, log=self.folder / "kube-apiserver.log")

    def _write_kubeconfig(self, name: str, credentials: dict[str, str]) -> Path:
        path = (
            self.folder
            / f"{''.join(char if char.isalnum() else '-' for char in name)}-{len(self._kubeconfigs)}.kubeconfig"
        )
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.authority.pem)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": name, "user": credentials}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
            "current-context": "tests",
        }
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path


@contextmanager
def control_plane(folder: Path, *, audit_policy: dict[str, Any] | None = None) -> Iterator[ControlPlane]:
    """A started control plane with its data in ``folder``; ended when the block is left."""
    plane = ControlPlane(folder, audit_policy=audit_policy)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
