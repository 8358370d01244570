"""What a proxy may see, without and with a Sidecar."""

from __future__ import annotations

from discovery.mesh.proxy import ScopeKey
from discovery.mesh.scope import (
    InScope,
    egress_listeners,
    ingress_listeners,
    outbound_policy,
    scope_service,
    scope_services,
)
from discovery.registry.service import ServiceRef
from discovery.schema.meta import Kind, ObjectKey
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from tests.kit.mesh_db import MeshDb


def entry(name: str, namespace: str, host: str, port: int = 80) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: ['{host}']
  resolution: STATIC
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
"""


def sidecar(spec: str, *, namespace: str = "web", name: str = "s") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
"""


def virtual_service(name: str, host: str, to: str, *, namespace: str = "web") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hosts: ['{host}']
  http: [{{route: [{{destination: {{host: {to}}}}}]}}]
"""


PLAIN = ScopeKey("web", None)
NARROW = ScopeKey("web", ObjectKey(Kind.SIDECAR, "web", "s"))
SERVICES = entry("a", "web", "a.example") + entry("b", "shop", "b.example") + entry("c", "shop", "c.example", 81)


def hosts(mesh: MeshDb, scope: ScopeKey) -> list[str]:
    return sorted(ref.host for ref in scope_services(mesh.db, scope))


def test_without_a_sidecar_everything_is_imported() -> None:
    """One catch-all listener."""
    mesh = MeshDb(SERVICES)
    (listener,) = egress_listeners(mesh.db, PLAIN)
    assert (listener.port, listener.explicit) == (None, False)
    assert hosts(mesh, PLAIN) == ["a.example", "b.example", "c.example"]


def test_own_namespace_wins_a_host() -> None:
    """A host that several namespaces declare means one's own, else one of them."""
    mesh = MeshDb(entry("theirs", "shop", "dup.example") + entry("ours", "web", "dup.example"))
    assert scope_service(mesh.db, InScope(PLAIN, "dup.example")) == ServiceRef("dup.example", "web")
    assert scope_service(mesh.db, InScope(ScopeKey("x", None), "dup.example")) is not None


def test_a_sidecar_imports_what_it_names() -> None:
    """By namespace and host; `.` is the own namespace, `~/*` nothing, `~ns` takes away."""
    for egress, expected in (
        ("./*", ["a.example"]),
        ("shop/b.example", ["b.example"]),
        ("*/*.example", ["a.example", "b.example", "c.example"]),
        ("~/*", []),
    ):
        mesh = MeshDb(SERVICES + sidecar(f"{{egress: [{{hosts: ['{egress}']}}]}}"))
        assert hosts(mesh, NARROW) == expected, egress
    mesh = MeshDb(SERVICES + sidecar("{egress: [{hosts: ['*/*', '~shop/c.example']}]}"))
    assert hosts(mesh, NARROW) == ["a.example", "b.example"]


def test_a_listener_with_a_port_takes_services_that_have_it() -> None:
    """Others are not reachable there."""
    spec = (
        "{egress: [{port: {number: 81, protocol: HTTP, name: h}, bind: 127.0.0.1, hosts: ['*/*']}, {hosts: ['./*']}]}"
    )
    mesh = MeshDb(SERVICES + sidecar(spec))
    first, second = egress_listeners(mesh.db, NARROW)
    assert [ref.host for ref in first.services] == ["c.example"]
    assert (first.bind, second.port) == ("127.0.0.1", None)


def test_a_listener_on_a_unix_socket_takes_services_of_every_port() -> None:
    """Its port is 0, which asks nothing of services."""
    egress = "{egress: [{bind: 'unix:///run/out.sock', port: {number: 0, protocol: HTTP, name: x}, hosts: ['*/*']}]}"
    assert hosts(MeshDb(SERVICES + sidecar(egress)), NARROW) == ["a.example", "b.example", "c.example"]


def test_an_imported_virtual_service_imports_its_destinations() -> None:
    """Otherwise its routes would lead nowhere."""
    mesh = MeshDb(
        SERVICES + virtual_service("v", "a.example", "b.example") + sidecar("{egress: [{hosts: ['./a.example']}]}")
    )
    assert hosts(mesh, NARROW) == ["a.example", "b.example"]


def test_policy_and_ingress_come_from_the_sidecar_else_the_mesh() -> None:
    """Traffic to the unknown is let through unless a Sidecar says otherwise."""
    mesh = MeshDb(
        sidecar(
            "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}, "
            "ingress: [{port: {number: 1, protocol: HTTP, name: h}, defaultEndpoint: '127.0.0.1:2'}]}"
        )
    )
    assert outbound_policy(mesh.db, PLAIN).mode is OutboundTrafficPolicyMode.ALLOW_ANY
    assert outbound_policy(mesh.db, NARROW).mode is OutboundTrafficPolicyMode.REGISTRY_ONLY
    assert [i.default_endpoint for i in ingress_listeners(mesh.db, NARROW)] == ["127.0.0.1:2"]
    assert ingress_listeners(mesh.db, PLAIN) == ()
