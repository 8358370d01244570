"""However a state was reached, routes are those of a fresh database."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.meta import Kind, ObjectKey
from discovery.wire.type_urls import ROUTE
from tests.kit.destination_rules import document as rule
from tests.kit.virtual_services import document
from tests.kit.world import World

HASHED = "trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}"


def _service(name: str, port: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{name}.example], resolution: STATIC, ports: [{{number: {port}, name: http, protocol: HTTP}}]}}
"""


def _routes(name: str, host: str, to: str) -> str:
    return document(name, f"hosts: ['{host}']\nhttp: [{{route: [{{destination: {{host: '{to}'}}}}]}}]")


HOSTS = st.sampled_from(["a.example", "b.example", "*.example", "c.example"])
CHANGES = st.one_of(
    st.builds(_service, st.sampled_from("ab"), st.sampled_from([80, 8080])),
    st.builds(_routes, st.sampled_from(["v", "w"]), HOSTS, HOSTS),
    st.builds(lambda host: rule("r", HASHED, host=host), HOSTS),
    st.sampled_from(
        [
            ObjectKey(Kind.SERVICE_ENTRY, "shop", "a"),
            ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "v"),
            ObjectKey(Kind.DESTINATION_RULE, "shop", "r"),
        ]
    ),
)


@given(st.lists(CHANGES, max_size=6))
def test_history_does_not_matter(changes: list[str | ObjectKey]) -> None:
    """After every change all route configurations equal those that are rendered from the same objects at once."""
    world = World()
    texts: dict[ObjectKey, str] = {}
    for change in changes:
        if isinstance(change, ObjectKey):
            world.delete(change)
            texts.pop(change, None)
        else:
            (document,) = (d for d in yaml.safe_load_all(change) if d is not None)
            world.load([document])
            meta = document["metadata"]
            texts[ObjectKey(Kind(document["kind"]), meta["namespace"], meta["name"])] = change
        assert world.rendered(ROUTE) == World("\n---\n".join(texts.values())).rendered(ROUTE)
