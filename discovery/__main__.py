"""``python -m discovery``: the same as ``pilot-discovery``."""

from discovery.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
