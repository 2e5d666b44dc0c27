"""CEL expressions without their layout: written in one way, and as forms that can be compared and filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from webhook.model.objects import JSON
from webhook.policy.celsyntax import Kind, Node, SyntaxProblem, parse

_COMMENT = re.compile(r"//[^\n]*")
_TOKEN = re.compile(r"`[^`\n]*`|[A-Za-z_][A-Za-z0-9_]*|&&|\|\||[<>=!]=|\.\?|[^\s]")
PLAIN_TEXT = re.compile(r"""(['"])([^\\'"\n]*)\1""")
_OPENING = frozenset({"(", "[", "{", ".", ".?", "!"})
_CLOSING = frozenset({")", "]", "}", ",", ".", ".?"})
_OPENERS = frozenset({"in"})
_OPERAND = re.compile(r"""[\w`"')\]}]""")


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """An expression without its layout: one object for all that have the same tree and the same tokens.

    So forms are compared by identity, and an expression that stands in another many times counts once: see
    :func:`made`. Parentheses are in the tree and left out of the tokens.
    """

    kind: Kind
    name: str
    tokens: tuple[str, ...]
    """What stands before each child and after the last one."""
    children: tuple[Form, ...] = ()
    binds: tuple[str, ...] = ()
    depth: int = 0
    """How many forms stand in one another below it."""

    @property
    def dotted(self) -> str:
        """``a.b`` for a name or a chain of fields; empty for anything else."""
        if self.kind is Kind.NAME:
            return self.name
        if self.kind is Kind.SELECT and self.tokens[-1].startswith(".") and not self.tokens[-1].startswith(".?"):
            above = self.children[0].dotted
            return f"{above}.{self.name}" if above else ""
        return ""


_KNOWN: dict[tuple[Kind, str, tuple[str, ...], tuple[Form, ...], tuple[str, ...]], Form] = {}


def made(
    kind: Kind, name: str, tokens: tuple[str, ...], children: tuple[Form, ...] = (), binds: tuple[str, ...] = ()
) -> Form:
    """Return the one form of these parts."""
    key = (kind, name, tokens, children, binds)
    found = _KNOWN.get(key)
    if found is None:
        depth = 1 + max((child.depth for child in children), default=-1)
        found = _KNOWN.setdefault(key, Form(*key, depth))
    return found


TRUE, FALSE = (made(Kind.LITERAL, word, (word,)) for word in ("true", "false"))


@cache
def normal(text: str) -> str:
    """Return an expression with the one layout that all have here, without comments; what is in quotes stays."""
    try:
        literals = sorted((node.start, node.end) for node in parse(text).walk() if node.kind is Kind.LITERAL)
    except SyntaxProblem:
        return " ".join(text.split())
    tokens: list[str] = []
    at = 0
    for start, end in literals:
        tokens += [*_tokens(text[at:start]), text[start:end]]
        at = end
    tokens += _tokens(text[at:])
    return "".join(_spaced(tokens))


def _tokens(gap: str) -> list[str]:
    return _TOKEN.findall(_COMMENT.sub(" ", gap))


def _spaced(tokens: list[str]) -> Iterator[str]:
    """Put one blank around operators and none elsewhere."""
    before, operand, prefix = "(", False, False
    for token in tokens:
        applied = operand and token in {"(", "[", "{"}
        tight = prefix or applied or before in _OPENING or token in _CLOSING
        yield token if tight else f" {token}"
        prefix = token in {"-", "?"} and not operand
        operand = token not in _OPENERS and _OPERAND.match(token) is not None
        before = token


@cache
def form(text: str) -> Form | None:
    """Return the form of an expression; None for what is none."""
    try:
        return _form(parse(text), text)
    except SyntaxProblem:
        return None


def _form(node: Node, text: str) -> Form:
    if node.kind is Kind.LITERAL:
        plain = PLAIN_TEXT.fullmatch(node.name)
        literal = json.dumps(plain[2], ensure_ascii=False) if plain else node.name
        return made(Kind.LITERAL, literal, (literal,))
    tokens, at = [], node.start
    for child in node.children:
        tokens.append(_between(text[at : child.start]))
        at = child.end
    tokens.append(_between(text[at : node.end]))
    children = tuple(_form(child, text) for child in node.children)
    return made(node.kind, node.name, tuple(tokens), children, node.binds)


def _between(gap: str) -> str:
    return " ".join(token for token in _tokens(gap) if token not in {"(", ")"})


def literal(value: JSON) -> Form:
    """Return a value as a form that is equal to that of the same value only."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, list):
        items = tuple(map(literal, value))
        return made(Kind.LIST, "", ("[", *[","] * (len(items) - 1), "]") if items else ("[]",), items)
    written = json.dumps(value, ensure_ascii=False, sort_keys=True)
    plain = isinstance(value, str) and written == f'"{value}"'
    whole = isinstance(value, int) and value >= 0
    return made(Kind.LITERAL if plain or whole else Kind.MESSAGE, written, (written,))


def with_children(where: Form, children: tuple[Form, ...]) -> Form:
    """Return a form with other children."""
    return made(where.kind, where.name, where.tokens, children, where.binds)


def filled(where: Form, values: Mapping[str, Form]) -> Form:
    """Return a form with dotted names replaced by what they stand for; what a macro binds is another thing."""
    if where.dotted in values:
        return values[where.dotted]
    inner = {name: put for name, put in values.items() if name.partition(".")[0] not in where.binds}
    return with_children(where, tuple(filled(child, inner) for child in where.children))


def names_in(where: Form) -> Iterator[str]:
    """Yield the longest dotted names in a form."""
    if where.dotted:
        yield where.dotted
        return
    for child in where.children:
        yield from names_in(child)
