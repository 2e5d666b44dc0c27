"""Forms of results for people and machines: tables, JSON, YAML, JUnit, SARIF, Markdown, notes on a pull request."""
