"""The resource of a kind that migguard does not know, guessed from its name."""

from __future__ import annotations

_SAME = ("endpoints",)
_VOWELS = frozenset("aeiou")


def plural(kind: str) -> str:
    """Return what the resource of a kind is most likely called: ``networkpolicies`` of NetworkPolicy.

    Source: Kubernetes ``apimachinery/pkg/api/meta/restmapper.go`` (UnsafeGuessKindToResource), and English where that
    falls short of how custom resources are named (gateways, meshes).
    """
    name = kind.lower()
    if name.endswith(_SAME):
        return name
    if name.endswith("y") and name[-2:-1] not in _VOWELS:
        return f"{name.removesuffix('y')}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
