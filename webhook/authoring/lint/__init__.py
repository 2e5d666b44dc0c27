"""Finds mistakes in policies, bindings and exemptions that a schema and a compiler do not see.

Each topic is a module with a function ``check``, which yields what it found; what there is to find stands in ``rules``.
A linter that cries wolf is switched off: where a check cannot be sure, it says nothing.
"""
