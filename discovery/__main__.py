"""``python -m discovery``: the same as ``pilot-discovery``."""

import os

from discovery.runtime.grpc_polling import loading_grpc

with loading_grpc(os.environ):  # noqa: TID251 - gRPC reads nothing else, and nowhere later
    from discovery.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
