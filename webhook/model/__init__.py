"""The words that all packages share: objects, requests, facts, decisions and the ports.

No I/O, no third-party import.
"""
