"""Facets of the mesh configuration."""

from __future__ import annotations

from discovery.mesh.settings import MeshTls, mesh_tls
from discovery.schema.mesh_config import MeshConfig, TLSConfig
from discovery.schema.server_tls import TLSProtocol
from tests.kit.mesh_db import MeshDb


def test_tls_of_the_mesh_is_never_below_1_2() -> None:
    """Older versions may be written, as Istio's API has them; they are not accepted."""
    for written, only in ((TLSProtocol.TLSV1_0, False), (TLSProtocol.TLSV1_2, False), (TLSProtocol.TLSV1_3, True)):
        mesh = MeshDb(mesh=MeshConfig(mesh_mtls=TLSConfig(min_protocol_version=written)))
        assert mesh_tls(mesh.db, None) == MeshTls(only_tls13=only)
    assert mesh_tls(MeshDb().db, None) == MeshTls()
