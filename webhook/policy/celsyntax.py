"""The shape of CEL expressions: a tree whose nodes know where they stand in the text.

The runtime compiles and evaluates but shows no tree. What looks *into* an expression (lint, coverage, the export to
ValidatingAdmissionPolicy, mutation testing) reads it here; what decides never does.

Source: the grammar of the CEL language definition, with the optional syntax (``?.``, ``[?``, ``{?key: …}``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

_GRAMMAR = r"""
start: expr
?expr: or | or "?" or ":" expr -> conditional
?or: and | or "||" and -> or_
?and: relation | and "&&" relation -> and_
?relation: sum | relation RELOP sum -> relation | relation "in" sum -> in_
?sum: product | sum SUMOP product -> arithmetic
?product: unary | product PRODOP unary -> arithmetic
?unary: member | "!" unary -> not_ | "-" unary -> minus
?member: primary
    | member "." NAME -> select
    | member ".?" NAME -> select_optional
    | member "." NAME "(" [args] ")" -> method
    | member "[" expr "]" -> index
    | member "[" "?" expr "]" -> index_optional
    | member "{" [fields ","?] "}" -> message
?primary: literal | NAME -> name | "." NAME -> rooted
    | NAME "(" [args] ")" -> call
    | "(" expr ")"
    | "[" [elements ","?] "]" -> list
    | "{" [entries ","?] "}" -> map
args: expr | args "," expr
elements: element | elements "," element
?element: expr | "?" expr -> optional
entries: entry | entries "," entry
entry: ["?"] expr ":" expr
fields: field | fields "," field
field: ["?"] NAME ":" expr
literal: FLOAT | UINT | INT | STRING | TRUE | FALSE | NULL
TRUE.2: /true\b/
FALSE.2: /false\b/
NULL.2: /null\b/
RELOP: "<=" | ">=" | "==" | "!=" | "<" | ">"
SUMOP: "+" | "-"
PRODOP: "*" | "/" | "%"
FLOAT.3: /\d+\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+([eE][+-]?\d+)?/
UINT.2: /(0x[0-9a-fA-F]+|\d+)[uU]/
INT.1: /0x[0-9a-fA-F]+|\d+/
STRING.4: /[bB]?[rR]?[bB]?("{3}(?:[^\\]|\\.)*?"{3}|'{3}(?:[^\\]|\\.)*?'{3})/s
    | /[bB]?"(?:[^"\\\n]|\\.)*"|[bB]?'(?:[^'\\\n]|\\.)*'/
    | /[bB]?[rR][bB]?"[^"\n]*"|[bB]?[rR][bB]?'[^'\n]*'/
NAME: /[A-Za-z_][A-Za-z0-9_]*|`[A-Za-z0-9_.\/\- ]+`/
COMMENT: /\/\/[^\n]*/
%import common.WS
%ignore WS
%ignore COMMENT
"""


class Kind(StrEnum):
    """What a node is; its children are its operands, in order."""

    OR = "||"
    AND = "&&"
    NOT = "!"
    CONDITIONAL = "?:"
    """Condition, value if true, value if false."""
    RELATION = "relation"
    """``==`` … and ``in``; see ``Node.name``."""
    ARITHMETIC = "arithmetic"
    """See ``Node.name``; with one child it is a negation."""
    CALL = "call"
    """A function: its arguments."""
    METHOD = "method"
    """A function with a receiver: the receiver, then the arguments. Macros are such calls too, see ``Node.binds``."""
    SELECT = "select"
    """A field, ``Node.name``, of the one child."""
    INDEX = "index"
    LIST = "list"
    MAP = "map"
    """Keys and values in turn."""
    MESSAGE = "message"
    NAME = "name"
    LITERAL = "literal"
    """``Node.name`` is the text."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of an expression; ``text[start:end]`` of it, without the parentheses around it."""

    kind: Kind
    name: str
    """The operator, function, field, identifier or literal; empty where there is none."""
    start: int
    end: int
    children: tuple[Node, ...] = ()
    binds: tuple[str, ...] = field(default=())
    """Names that a macro declares for the children after the first (the range, or the value that is bound)."""

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def dotted(self) -> str:
        """``a.b.c`` for a name or a chain of fields of one; empty for anything else."""
        if self.kind is Kind.NAME:
            return self.name
        if self.kind is Kind.SELECT and (above := self.children[0].dotted):
            return f"{above}.{self.name}"
        return ""


class SyntaxProblem(Exception):  # noqa: N818 - what the expression has, not what went wrong here
    """The text is not an expression; ``offset`` is where that shows."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"not a CEL expression: character {offset}")
        self.offset = offset


_ONE_VARIABLE = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map", "optMap", "optFlatMap"})
_TWO_VARIABLES = frozenset({"all", "exists", "exists_one", "existsOne", "transformList", "transformMap",
                            "transformMapEntry"})  # fmt: skip
_KINDS: Mapping[str, Kind] = {
    "or_": Kind.OR,
    "and_": Kind.AND,
    "not_": Kind.NOT,
    "conditional": Kind.CONDITIONAL,
    "index": Kind.INDEX,
    "index_optional": Kind.INDEX,
    "list": Kind.LIST,
    "map": Kind.MAP,
}


def parse(text: str) -> Node:
    """Return the tree of an expression. Raises SyntaxProblem."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise SyntaxProblem(_offset(error, text)) from error
    return _node(tree.children[0])


def _offset(error: UnexpectedInput, text: str) -> int:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return len(text)
    position: Any = error.pos_in_stream
    return len(text) if position is None else int(position)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


_Parsed = Tree[Token] | Token


def _node(part: _Parsed) -> Node:
    if isinstance(part, Token):
        return Node(Kind.NAME, str(part), part.start_pos or 0, part.end_pos or 0)
    start, end = part.meta.start_pos, part.meta.end_pos
    if part.data == "literal":
        return Node(Kind.LITERAL, str(part.children[0]), start, end)
    if part.data in {"name", "rooted"}:
        return Node(Kind.NAME, str(part.children[0]), start, end)
    if part.data == "optional":
        return _node(part.children[0])
    if part.data in _KINDS:
        return Node(_KINDS[part.data], "", start, end, tuple(_operands(part)))
    return _named(part, start, end)


def _named(part: Tree[Token], start: int, end: int) -> Node:
    """A node whose operator, function or field is one of its tokens."""
    if part.data in {"relation", "arithmetic"}:
        left, operator, right = part.children
        kind = Kind.RELATION if part.data == "relation" else Kind.ARITHMETIC
        return Node(kind, str(operator), start, end, (_node(left), _node(right)))
    if part.data == "in_":
        return Node(Kind.RELATION, "in", start, end, tuple(map(_node, part.children)))
    if part.data == "minus":
        return Node(Kind.ARITHMETIC, "-", start, end, (_node(part.children[0]),))
    if part.data in {"select", "select_optional"}:
        return Node(Kind.SELECT, str(part.children[1]).strip("`"), start, end, (_node(part.children[0]),))
    if part.data == "method":
        receiver, name, *rest = part.children
        operands = (_node(receiver), *_flat(rest))
        return Node(Kind.METHOD, str(name), start, end, operands, _binds(str(name), operands))
    if part.data == "call":
        name, *rest = part.children
        return Node(Kind.CALL, str(name), start, end, tuple(_flat(rest)))
    return Node(Kind.MESSAGE, "", start, end, tuple(_operands(part)))


def _operands(part: Tree[Token]) -> Iterator[Node]:
    yield from _flat(part.children)


def _flat(parts: list[_Parsed]) -> Iterator[Node]:
    for part in parts:
        if isinstance(part, Tree) and part.data in {"args", "elements", "entries", "fields", "entry", "field"}:
            yield from _flat([one for one in part.children if not _is_field_name(part, one)])
        else:
            yield _node(part)


def _is_field_name(part: Tree[Token], child: _Parsed) -> bool:
    return part.data == "field" and isinstance(child, Token)


def _binds(name: str, operands: tuple[Node, ...]) -> tuple[str, ...]:
    """The variables that a macro declares. Source: CEL's standard macros, and the comprehensions of two variables."""
    arguments = operands[1:]
    if name == "bind" and operands[0].dotted == "cel" and len(arguments) == 3:  # noqa: PLR2004 - name, value, result
        return (arguments[0].name,)
    names = [one.name for one in arguments if one.kind is Kind.NAME]
    if name in _TWO_VARIABLES and len(arguments) >= 3 and len(names) >= 2:  # noqa: PLR2004 - two names and what follows
        return (arguments[0].name, arguments[1].name)
    return (arguments[0].name,) if name in _ONE_VARIABLE and len(arguments) >= 2 and names else ()  # noqa: PLR2004
