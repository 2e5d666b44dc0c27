"""Subjects of a binding that mean whole crowds rather than somebody.

Source: Kubernetes ``staging/src/k8s.io/apiserver/pkg/authentication/user/user.go`` and ``serviceaccount/util.go``;
OpenShift ``openshift/api`` and ``oauth-apiserver`` (``system:authenticated:oauth``).
"""

from __future__ import annotations

from webhook.model.objects import Object, mappings, text

_GROUPS = frozenset(
    {
        "system:authenticated",
        # On OpenShift: all who logged in through its OAuth server, that is all people.
        "system:authenticated:oauth",
        "system:unauthenticated",
        "system:serviceaccounts",
    }
)
_ACCOUNTS_OF = "system:serviceaccounts:"
_ANONYMOUS = "system:anonymous"


def wide_subjects(binding: Object | None) -> list[str]:
    """Return the names of these subjects, once each in order: groups that anybody is in, and nobody in particular."""
    found = [text(subject, "name") for subject in mappings(binding, "subjects") if _is_wide(subject)]
    return list(dict.fromkeys(found))


def _is_wide(subject: Object) -> bool:
    kind, name = text(subject, "kind"), text(subject, "name")
    if kind == "Group":
        return name in _GROUPS or (name.startswith(_ACCOUNTS_OF) and name != _ACCOUNTS_OF)
    return kind == "User" and name == _ANONYMOUS
