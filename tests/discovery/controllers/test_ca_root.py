from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from discovery.controllers.ca_root import RootDistribution, render_root_map
from discovery.kube.client import KubeClient
from discovery.kube.lease import Fence, NotLeadingError
from discovery.runtime.clock import SystemClock
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import FixedNamespaces, as_user, client_of, lasting_fence, running

NAME = "istio-ca-root-cert"


class Roots:
    def __init__(self) -> None:
        self.pem = "first root\n"


def distribution(client: KubeClient, namespaces: FixedNamespaces, roots: Roots) -> RootDistribution:
    return RootDistribution(client, namespaces, lambda: roots.pem, name=NAME)


async def root_in(api: KubeApi, namespace: str) -> dict[str, Any] | None:
    return await api.get("v1", "ConfigMap", NAME, namespace)


async def has(api: KubeApi, namespace: str, pem: str) -> bool:
    found = await root_in(api, namespace)
    return found is not None and found.get("data", {}).get("root-cert.pem") == pem


async def test_every_selected_namespace_gets_the_roots(kube_api: KubeApi) -> None:
    """With the label that others know it by; namespaces of the cluster's own machinery get none."""
    first, second, other = [await kube_api.new_namespace() for _ in range(3)]
    namespaces, roots = FixedNamespaces(first, second, "kube-public", "kube-node-lease", "kube-system"), Roots()
    async with client_of(kube_api) as client:
        maps = distribution(client, namespaces, roots)
        async with running(lambda: maps.lead(lasting_fence())):
            for namespace in (first, second, "kube-system"):
                await eventually(lambda namespace=namespace: has(kube_api, namespace, roots.pem))
            found = await root_in(kube_api, first)
            assert found is not None
            assert found["metadata"]["labels"] == {"istio.io/config": "true"}
            for namespace in ("kube-public", "kube-node-lease", other):
                assert await root_in(kube_api, namespace) is None


async def test_namespace_that_comes_later_gets_them_too(kube_api: KubeApi) -> None:
    """It need not exist when the work begins."""
    namespaces, roots = FixedNamespaces(), Roots()
    async with client_of(kube_api) as client:
        maps = distribution(client, namespaces, roots)
        async with running(lambda: maps.lead(lasting_fence())):
            late = await kube_api.new_namespace()
            namespaces.add(late)
            await eventually(lambda: has(kube_api, late, roots.pem))


async def test_map_that_was_edited_or_deleted_is_made_good(kube_api: KubeApi) -> None:
    """Also a label that was taken away; what others put beside ours stays."""
    namespace, roots = await kube_api.new_namespace(), Roots()
    async with client_of(kube_api) as client:
        maps = distribution(client, FixedNamespaces(namespace), roots)
        async with running(lambda: maps.lead(lasting_fence())):
            await eventually(lambda: has(kube_api, namespace, roots.pem))
            path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"
            merge = "application/merge-patch+json"
            edit = {"data": {"root-cert.pem": "forged", "mine": "stays"}}
            await kube_api.call("PATCH", path, edit, content_type=merge)
            await eventually(lambda: has(kube_api, namespace, roots.pem))
            found = await root_in(kube_api, namespace)
            assert found is not None
            assert found["data"]["mine"] == "stays"

            await kube_api.call("PATCH", path, {"metadata": {"labels": None}}, content_type=merge)

            async def labelled() -> bool:
                found = await root_in(kube_api, namespace)
                return bool(found and found["metadata"].get("labels") == {"istio.io/config": "true"})

            await eventually(labelled)
            assert (await kube_api.call("DELETE", path)).status == 200
            await eventually(lambda: has(kube_api, namespace, roots.pem))


async def test_new_roots_reach_all_namespaces(kube_api: KubeApi) -> None:
    """When their owner says that they changed."""
    names = [await kube_api.new_namespace() for _ in range(3)]
    roots = Roots()
    async with client_of(kube_api) as client:
        maps = distribution(client, FixedNamespaces(*names), roots)
        async with running(lambda: maps.lead(lasting_fence())):
            for name in names:
                await eventually(lambda name=name: has(kube_api, name, "first root\n"))
            roots.pem = "first root\nsecond root\n"
            maps.roots_changed()
            for name in names:
                await eventually(lambda name=name: has(kube_api, name, roots.pem))


@pytest.mark.kube_double
async def test_nothing_is_written_where_nothing_is_wrong(kube_api: KubeApi, tmp_path: Path) -> None:
    """A new leader of a healthy cluster reads, and that is all."""
    names = [await kube_api.new_namespace() for _ in range(5)]
    roots = Roots()
    for name in names:
        await kube_api.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": NAME, "namespace": name, "labels": {"istio.io/config": "true"}},
                "data": {"root-cert.pem": roots.pem},
            }
        )
    sentinel = await kube_api.new_namespace()
    namespaces = FixedNamespaces(*names)
    async with as_user(kube_api, tmp_path, "pilot") as client:
        maps = distribution(client, namespaces, roots)
        async with running(lambda: maps.lead(lasting_fence())):
            await eventually(lambda: any(request.user == "pilot" for request in kube_api.requests))
            namespaces.add(sentinel)
            await eventually(lambda: has(kube_api, sentinel, roots.pem))
            maps.roots_changed()
            namespaces.add(names[0])
            last = await kube_api.new_namespace()
            namespaces.add(last)  # its turn comes after theirs
            await eventually(lambda: has(kube_api, last, roots.pem))
    writes = [request for request in kube_api.requests if request.user == "pilot" and request.verb == "patch"]
    assert {request.namespace for request in writes} == {sentinel, last}


async def test_namespace_that_is_gone_or_going_is_no_failure(kube_api: KubeApi) -> None:
    """Others get theirs."""
    good = await kube_api.new_namespace()
    namespaces, roots = FixedNamespaces("was-here-once", good), Roots()
    async with client_of(kube_api) as client:
        maps = distribution(client, namespaces, roots)
        async with running(lambda: maps.lead(lasting_fence())):
            await eventually(lambda: has(kube_api, good, roots.pem))


async def test_namespace_that_was_deselected_keeps_its_map(kube_api: KubeApi) -> None:
    """Pods there may still mount it; it is not looked after any more."""
    namespace, roots = await kube_api.new_namespace(), Roots()
    namespaces = FixedNamespaces(namespace)
    async with client_of(kube_api) as client:
        maps = distribution(client, namespaces, roots)
        async with running(lambda: maps.lead(lasting_fence())):
            await eventually(lambda: has(kube_api, namespace, roots.pem))
            namespaces.remove(namespace)
            other = await kube_api.new_namespace()
            namespaces.add(other)
            await eventually(lambda: has(kube_api, other, roots.pem))
            assert await has(kube_api, namespace, roots.pem)


async def test_lost_lease_ends_the_work(kube_api: KubeApi) -> None:
    """With the error that the elector expects, and without a write."""
    namespace, roots, clock = await kube_api.new_namespace(), Roots(), SystemClock()
    fence = Fence(clock)
    fence.extend(clock.monotonic() + 600)
    fence.lose()
    async with client_of(kube_api) as client:
        with pytest.raises(NotLeadingError):
            async with asyncio.timeout(10):
                await distribution(client, FixedNamespaces(namespace), roots).lead(fence)
    assert await root_in(kube_api, namespace) is None


def test_map_holds_nothing_but_what_is_ours() -> None:
    """What is applied is what we own."""
    body = render_root_map("pem", namespace="shop", name=NAME)
    assert b'"data":{"root-cert.pem":"pem"}' in body
    assert b'"labels":{"istio.io/config":"true"}' in body
