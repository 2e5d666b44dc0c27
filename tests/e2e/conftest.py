"""One cluster and one migguard for the whole run; one namespace for each test."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import count

import pytest

from tests.e2e.objects import INSTALL_NAMESPACE
from tests.e2e.scene import Configuration, Scene
from tests.support.aggregation import aggregate
from tests.support.controlplane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.webhook import Webhook, registered_webhook

_numbers = count(1)
MACHINES = "virtualmachines.kubevirt.io,virtualmachineinstances.kubevirt.io"
_WEBHOOK = pytest.StashKey[Webhook]()


@pytest.fixture(scope="session")
def webhook(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Webhook]:
    """A running migguard with the built-in policies, on a cluster after the upgrade to KubeVirt 1.5 (4.19).

    The upgrade's temporary role was forgotten, so namespace admins still hold the raw verbs on migrations.
    """
    control_plane.install("rbac")
    aggregate(control_plane.kubectl)
    for namespace in (INSTALL_NAMESPACE, "migguard"):
        control_plane.kubectl.must("create", "namespace", namespace)
    with registered_webhook(control_plane, tmp_path_factory.mktemp("migguard")) as running:
        pytestconfig.stash[_WEBHOOK] = running
        Configuration(Scene(control_plane, running, "default")).create()
        yield running


@pytest.fixture
def scene(control_plane: ControlPlane, webhook: Webhook) -> Iterator[Scene]:
    """A namespace of its own; what could influence other tests is gone afterwards."""
    name = f"team-{next(_numbers)}"
    control_plane.kubectl.must("create", "namespace", name)
    control_plane.kubectl.must("label", "namespace", name, f"team={name}")
    staged = Scene(control_plane, webhook, name)
    yield staged
    # Migrations that wait count against the queue; critical VMs elsewhere would stand in the way of other tests'
    # configuration changes.
    staged.controller("namespace-controller", "kube-system").must("delete", "vmim", "--all", "--wait=false")
    for name in staged.admin.must("get", "vmim", "-o", "name").split():
        patch = ("patch", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        staged.controller("kubevirt-controller").must(*patch)
    staged.admin.must("delete", MACHINES, "--all")


@pytest.fixture
def alice(scene: Scene) -> Kubectl:
    """Somebody to whom the role kubevirt.io:migrate is bound."""
    scene.bind("kubevirt.io:migrate", user="alice")
    return scene.person("alice")


@pytest.fixture
def bob(scene: Scene) -> Kubectl:
    """A namespace admin who holds the raw verbs, through the forgotten role, and lacks kubevirt.io:migrate."""
    scene.bind("admin", user="bob")
    return scene.person("bob")


@pytest.fixture
def edith(scene: Scene) -> Kubectl:
    """Somebody who may edit VMs in the namespace, and no more."""
    scene.bind("edit", user="edith")
    return scene.person("edith")


@pytest.fixture
def configuration(scene: Scene) -> Iterator[Configuration]:
    """The cluster's migration configuration, safe before and after the test."""
    cluster = Configuration(scene)
    yield cluster
    scene.admin.must("delete", MACHINES, "--all")
    cluster.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what migguard logged beside a failure."""
    report = yield
    if report.failed and _WEBHOOK in item.config.stash:
        report.sections.append(("end of the log of migguard", item.config.stash[_WEBHOOK].tail()))
    return report
