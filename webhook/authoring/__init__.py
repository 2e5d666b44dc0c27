"""Tools for those who write policies: lint, scaffolds, the export to native admission policies."""
