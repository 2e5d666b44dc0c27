"""Serving certificates. Knows nothing of policies."""
