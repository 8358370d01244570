"""The bootstrap file of proxyless gRPC applications: written while the agent runs, and a part of its readiness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent.bootstrap.grpc_document import build_grpc_bootstrap, grpc_certificate_files
from agent.launch import Launch
from agent.settings import Settings
from discovery.runtime.files import write_atomically

__all__ = ["GrpcBootstrapError", "grpc_bootstrap_file", "grpc_objection"]


class GrpcBootstrapError(RuntimeError):
    """The file cannot be written; the text says why and how to do without."""


@contextmanager
def grpc_bootstrap_file(settings: Settings, launch: Launch) -> Iterator[None]:
    """The file lies there during the block, readable by all: the application may be another user.

    Raises:
        GrpcBootstrapError: it cannot be written.
    """
    if not settings.env.grpc_bootstrap:
        yield
        return
    path = Path(settings.env.grpc_bootstrap)
    document = build_grpc_bootstrap(
        launch.node, xds_socket=Path(launch.paths.xds_socket).absolute(), output_certs=_output(settings)
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(document)), mode=0o644)
    except OSError as error:
        raise GrpcBootstrapError(
            f"gRPC bootstrap {path}: {error.strerror or error}; make its directory writable, "
            "or set GRPC_XDS_BOOTSTRAP to nothing if no application needs it"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def grpc_objection(settings: Settings) -> str:
    """What such an application waits for: the certificates that the bootstrap names; empty when they are there."""
    directory = _output(settings)
    if not settings.env.grpc_bootstrap or directory is None:
        return ""
    missing = [str(path) for path in grpc_certificate_files(directory) if not Path(path).exists()]
    return f"certificates for gRPC are not written yet: {', '.join(missing)}" if missing else ""


def _output(settings: Settings) -> Path | None:
    return Path(settings.env.output_certs).absolute() if settings.env.output_certs else None
