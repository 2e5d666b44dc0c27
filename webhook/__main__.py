"""``python -m webhook`` is the migguard command."""

from webhook.cli.main import main

if __name__ == "__main__":
    main()
