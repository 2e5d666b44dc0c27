"""What differs for those who migrate with virtctl or in the console: virt-api asks in its own name, whoever called it.

kube-apiserver authorizes the caller for the subresource ``virtualmachines/migrate`` and asks no webhook about it.

Source: KubeVirt ``pkg/virt-api/rest/lifecycle.go`` (``MigrateVMRequestHandler``, which needs a VirtualMachine),
``pkg/virt-operator/resource/generate/components/serviceaccountnames.go``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.impact.vm.name import Presence, VMName, migration_request
from webhook.impact.vm.refusals import KUBERNETES, refusals
from webhook.kubevirt.permission import MIGRATE
from webhook.kubevirt.rbac import grants
from webhook.kubevirt.requester import Origin, origin_of
from webhook.kubevirt.resources import KUBEVIRT, VM
from webhook.model.facts import Attributes, FactContext
from webhook.model.objects import namespace_of
from webhook.model.request import UserInfo
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.trace import trace
from webhook.policy.policyset import PolicySet

_ACCOUNT = "kubevirt-apiserver"


@dataclass(frozen=True, slots=True)
class Console:
    """The other way to migrate a VM, for the user of a request."""

    named: VMName
    context: FactContext
    policies: PolicySet
    world: World
    presence: Presence

    @property
    def _right(self) -> Attributes:
        return replace(MIGRATE, namespace=self.named.namespace, name=self.named.name)

    def _may_call(self) -> bool | None:
        """Whether the user may call the subresource; None where nobody can tell."""
        try:
            return self.context.allows(self.context.request.user, self._right)
        except FactUnavailable:
            return None

    @property
    def commands(self) -> tuple[str, ...]:
        """How the user would do it; none if they cannot."""
        if self.presence.vm is None or self._may_call() is not True:
            return ()
        return (f"virtctl migrate {self.named.name} -n {self.named.namespace}",)

    def differs(self, *, refused: bool) -> str:
        """Say in a sentence where the answer is another one this way; empty where it is the same or not known."""
        if origin_of(self.context) is not Origin.USER:
            return ""
        user, may_call = self.context.request.user.username, self._may_call()
        if refused and may_call and self._works():
            return (
                f"virtctl migrate and the console would let {user} through all the same, as virt-api asks in its own "
                f"name: '{self._right}' is granted{self._granted_by()}; take that right away if it is not meant"
            )
        if not refused and may_call is False:
            return f"virtctl migrate and the console do not work for {user}: '{self._right}' is not granted"
        return ""

    def _works(self) -> bool:
        """Whether it would go through for anybody who may call the subresource; no where nobody can tell."""
        try:
            return self._has_vm() and self._lets_through()
        except FactUnavailable:
            return False

    def _has_vm(self) -> bool:
        """Manifests may hold running VMs alone; then what they belong to is not known."""
        return self.presence.vm is not None or not self.world.view.list(VM)

    def _granted_by(self) -> str:
        context = self.context
        try:
            found = grants(context.view, context.request.user, self._right, context.deadline)
        except FactUnavailable:
            found = []
        return f" by {'; '.join(map(str, found))}" if found else ""

    def _lets_through(self) -> bool:
        namespace = next((namespace_of(one) for one in self.world.view.list(KUBEVIRT)), "")
        if not namespace:
            return False
        account = UserInfo(username=f"system:serviceaccount:{namespace}:{_ACCOUNT}")
        request = migration_request(self.named, account, self.world.view)
        through = FactSources(self.policies, self.world, self.context.now).context(request, self.world.view)
        judged = trace(request, policies=self.policies, world=self.world, now=self.context.now)
        # KubeVirt's own rights come with it, whether or not the manifests show them.
        return judged.allowed and all(KUBERNETES in one.by for one in refusals(judged, through, self.named))
