"""Decisions on record, decided anew by other policies."""
