"""The migguard command, one file per command."""
