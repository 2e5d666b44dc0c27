"""Names in an expression replaced by others, with everything else left as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from webhook.policy.celsyntax import Kind, Node, parse


def references(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield the names and chains of fields (``object.spec.x``) that stand for something outside, longest first seen.

    What a macro binds (``x`` in ``list.all(x, …)``) is not one.
    """
    if dotted := node.dotted:
        if dotted.partition(".")[0] not in bound:
            yield node
        return
    head, rest = (node.children[:1], node.children[1:]) if node.binds else (node.children, ())
    for child in head:
        yield from references(child, bound)
    inner = bound | set(node.binds)
    for child in rest:
        if child.dotted not in node.binds:
            yield from references(child, inner)


def rewritten(text: str, replace: Callable[[str], str | None]) -> str:
    """Return the expression with each name, or beginning of a chain of fields, that ``replace`` has something for."""
    edits = [edit for node in references(parse(text)) if (edit := _edit(node, replace))]
    for start, end, new in sorted(edits, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text


def _edit(node: Node, replace: Callable[[str], str | None]) -> tuple[int, int, str] | None:
    while True:
        new = replace(node.dotted)
        if new is not None:
            return node.start, node.end, new
        if node.kind is not Kind.SELECT:
            return None
        node = node.children[0]
