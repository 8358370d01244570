"""``python -m agent``: the same as ``pilot-agent``."""

from agent.lean import import_asyncio_without_ssl

__all__ = ["main"]


def main() -> None:
    """Run the command line; what it imports comes after the word about ``ssl``."""
    import_asyncio_without_ssl()
    from agent.cli import main as run

    run()


if __name__ == "__main__":
    main()
