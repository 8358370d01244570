from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from certs.ca import SigningCa
from certs.errors import CaError
from discovery.ca.roots import CaSettings
from discovery.ca.secret import CA_SECRET, PLUGGED_IN_SECRET, encode_ca_secret
from discovery.ca.secret_roots import SecretClient, SecretRoots, SecretSettings, open_secret_roots
from discovery.kube.errors import ForbiddenError
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from tests.kit.certs import TRUST_DOMAIN, root_ca
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.kube_api.errors import StatusError
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import as_user, client_of, lasting_fence, running

PRESENT = SystemClock().now()


def settings(namespace: str, **changes: Any) -> SecretSettings:
    made = SecretSettings(namespace=namespace, ca=CaSettings(trust_domain=TRUST_DOMAIN))
    return msgspec.structs.replace(made, **changes)


async def opened(client: SecretClient, namespace: str, clock: Any = None, **changes: Any) -> SecretRoots:
    return await open_secret_roots(client, settings(namespace, **changes), Timing(clock=clock or SystemClock()))


def plugged_in(namespace: str, ca: SigningCa) -> dict[str, Any]:
    texts = {"ca-cert.pem": ca.certificate_pem(), "ca-key.pem": ca.key_pem(), "root-cert.pem": ca.roots.to_pem()}
    data = {key: base64.b64encode(value).decode() for key, value in texts.items()}
    metadata = {"name": PLUGGED_IN_SECRET, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def secret(namespace: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}


async def roots_in(api: KubeApi, namespace: str, name: str = CA_SECRET) -> bytes:
    found = await api.get("v1", "Secret", name, namespace)
    return b"" if found is None else base64.b64decode(found["data"]["root-cert.pem"])


def present_root(label: str = "root") -> SigningCa:
    return root_ca(label, now=PRESENT)


async def test_first_replica_makes_the_root_and_others_use_it(kube_api: KubeApi) -> None:
    """Kept as istiod keeps it."""
    namespace = await kube_api.new_namespace()
    async with client_of(kube_api) as client:
        first, second = await opened(client, namespace), await opened(client, namespace)
    assert first.roots.current.certificate == second.roots.current.certificate
    assert first.roots.current.key_pem() == second.roots.current.key_pem()
    found = await kube_api.get("v1", "Secret", CA_SECRET, namespace)
    assert found is not None
    assert found["type"] == "istio.io/ca-root"


async def test_replicas_that_start_together_agree(kube_api: KubeApi) -> None:
    """One create succeeds; the others read what it made."""
    namespace = await kube_api.new_namespace()
    async with client_of(kube_api) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(opened(client, namespace)) for _ in range(5)]
    assert len({task.result().roots.current.key_pem() for task in tasks}) == 1


async def test_operators_secret_comes_first(kube_api: KubeApi) -> None:
    """Ours is not even made."""
    namespace, ca = await kube_api.new_namespace(), present_root()
    await kube_api.apply(plugged_in(namespace, ca))
    async with client_of(kube_api) as client:
        assert (await opened(client, namespace)).roots.current.certificate == ca.certificate
    assert await roots_in(kube_api, namespace) == b""


@pytest.mark.parametrize("together", [False, True])
async def test_an_operators_authority_in_the_place_of_ours(
    kube_api: KubeApi, capsys: pytest.CaptureFixture[str], *, together: bool
) -> None:
    """Whoever brings one later is told to trust both for a while; who does, is not. Both roots are trusted then."""
    namespace, ca = await kube_api.new_namespace(), present_root()
    async with client_of(kube_api) as client:
        before = (await opened(client, namespace)).roots.current
        if together:
            ca = msgspec.structs.replace(ca, roots=ca.roots + before.roots)
        await kube_api.apply(plugged_in(namespace, ca))
        capsys.readouterr()
        after = (await opened(client, namespace)).roots.current
    assert after.certificate == ca.certificate
    assert ({*before.roots.roots} <= {*after.roots.roots}) is together
    assert ("trusted no more" in "".join(capsys.readouterr())) is not together


async def test_root_of_ours_may_be_kept_in_cacerts(kube_api: KubeApi) -> None:
    """USE_CACERTS_FOR_SELF_SIGNED_CA."""
    namespace = await kube_api.new_namespace()
    async with client_of(kube_api) as client:
        made = await opened(client, namespace, use_cacerts=True)
        again = await opened(client, namespace, use_cacerts=True)
    assert made.roots.current.certificate == again.roots.current.certificate
    assert await roots_in(kube_api, namespace, PLUGGED_IN_SECRET) == made.roots.current.roots.to_pem()


async def test_secret_that_cannot_be_used_stops_the_start(kube_api: KubeApi) -> None:
    """It is not replaced: the workloads of the mesh trust what it held."""
    namespace = await kube_api.new_namespace()
    broken = {**plugged_in(namespace, present_root()), "data": {"ca-cert.pem": "eA=="}}
    await kube_api.apply(broken)
    async with client_of(kube_api) as client:
        with pytest.raises(CaError, match="missing"):
            await opened(client, namespace)


@pytest.mark.kube_double
async def test_api_server_that_is_away_is_waited_for(kube_api: KubeApi) -> None:
    """A control plane may start before its API server."""
    namespace = await kube_api.new_namespace()
    kube_api.faults.fail(2, "secrets")
    async with client_of(kube_api) as client:
        assert (await opened(client, namespace)).roots.current.roots.to_pem() == await roots_in(kube_api, namespace)


@pytest.mark.kube_double
async def test_missing_permission_stops_the_start(kube_api: KubeApi) -> None:
    """Waiting would not mend it."""
    namespace = await kube_api.new_namespace()
    kube_api.faults.refuse(StatusError(403, "Forbidden", "secrets is forbidden"), 1, "secrets")
    async with client_of(kube_api) as client:
        with pytest.raises(ForbiddenError):
            await opened(client, namespace)


async def test_replicas_follow_the_secret(kube_api: KubeApi) -> None:
    """A new root beside the old one is in use at all of them, and they say so."""
    namespace, old, new = await kube_api.new_namespace(), present_root(), present_root("other")
    both = msgspec.structs.replace(new, roots=new.roots + old.roots)
    await kube_api.apply(plugged_in(namespace, old))
    async with client_of(kube_api) as client:
        replicas = [await opened(client, namespace) for _ in range(2)]
        told: list[int] = []
        for index, replica in enumerate(replicas):
            replica.roots.on_change(lambda index=index: told.append(index))  # type: ignore[misc]
        async with running(*(replica.run for replica in replicas)):
            await kube_api.apply(plugged_in(namespace, both))
            await eventually(lambda: all(r.roots.current.certificate == new.certificate for r in replicas))
    assert sorted(told) == [0, 1]


async def test_another_root_beside_ours_is_trusted_and_stays(kube_api: KubeApi) -> None:
    """The first step from our authority to an operator's: replicas trust both and sign with ours; the leader agrees."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    async with client_of(kube_api) as client:
        replica = await opened(client, namespace)
        ours = replica.roots.current
        both = msgspec.structs.replace(ours, roots=ours.roots + theirs.roots)
        async with running(replica.run, partial(replica.lead, lasting_fence())):
            await kube_api.apply(msgspec.json.decode(encode_ca_secret(both, namespace=namespace, name=CA_SECRET)))
            await eventually(lambda: theirs.certificate in replica.roots.current.roots.roots)
            assert replica.roots.current.certificate == ours.certificate
        assert await roots_in(kube_api, namespace) == both.roots.to_pem()
        assert (await opened(client, namespace)).roots.current.roots == both.roots


async def test_root_that_shares_nothing_is_not_taken_up(kube_api: KubeApi) -> None:
    """The mesh would fall apart; it is told, and the present one goes on signing."""
    namespace, old = await kube_api.new_namespace(), present_root()
    await kube_api.apply(plugged_in(namespace, old))
    async with client_of(kube_api) as client:
        replica = await opened(client, namespace)
        async with running(replica.run):
            await kube_api.apply(plugged_in(namespace, present_root("other")))
            await eventually(lambda: "none in common" in replica.problem)
            assert replica.roots.current.certificate == old.certificate
            await kube_api.apply(plugged_in(namespace, old))
            await eventually(lambda: replica.problem == "")


async def test_leader_renews_its_root_in_time(kube_api: KubeApi) -> None:
    """The key stays, the old root stays trusted, and every replica takes it up; until then nothing is written."""
    namespace = await kube_api.new_namespace()
    async with client_of(kube_api) as client:
        early = await opened(client, namespace)
        old = early.roots.current
        clock = FakeClock(PRESENT + timedelta(days=3650 * 0.81))
        leader, follower = await opened(client, namespace, clock), await opened(client, namespace, clock)
        async with running(follower.run, lambda: leader.lead(lasting_fence())):
            await eventually(lambda: follower.roots.current.certificate != old.certificate)
            fresh = follower.roots.current
            assert leader.roots.current.certificate == fresh.certificate
            assert fresh.key_pem() == old.key_pem()
            assert {*old.roots.roots} < {*fresh.roots.roots}
            assert fresh.valid_until > old.valid_until


async def test_restored_root_is_renewed_too(kube_api: KubeApi) -> None:
    """From a backup it may come with another type, which an API server lets nobody change."""
    namespace = await kube_api.new_namespace()
    restored = plugged_in(namespace, present_root())
    restored["metadata"]["name"] = CA_SECRET
    await kube_api.apply(restored)
    async with client_of(kube_api) as client:
        leader = await opened(client, namespace, FakeClock(PRESENT + timedelta(days=3650 * 0.81)))
        old = leader.roots.current
        async with running(leader.run, lambda: leader.lead(lasting_fence())):
            await eventually(lambda: leader.roots.current.certificate != old.certificate)
    found = await kube_api.get("v1", "Secret", CA_SECRET, namespace)
    assert found is not None
    assert found["type"] == "Opaque"


@pytest.mark.kube_double
async def test_root_that_is_young_is_left_alone(kube_api: KubeApi, tmp_path: Path) -> None:
    """As is an operator's own, however old."""
    young, old = await kube_api.new_namespace(), await kube_api.new_namespace()
    await kube_api.apply(plugged_in(old, present_root()))
    clock = FakeClock(PRESENT + timedelta(days=3000))
    async with as_user(kube_api, tmp_path, "pilot") as client:
        leaders = [await opened(client, young), await opened(client, old, clock)]
        begun = len(list(kube_api.requests))
        async with running(*(partial(leader.lead, lasting_fence()) for leader in leaders)):
            await eventually(lambda: len(list(kube_api.requests)) >= begun + 2)
            for leader in leaders:
                leader._changed.set()  # the second look begins when the first has ended
            await eventually(lambda: len(list(kube_api.requests)) >= begun + 4)
    assert {request.verb for request in list(kube_api.requests)[begun:]} == {"get"}


async def test_leader_writes_a_deleted_root_again(kube_api: KubeApi) -> None:
    """The very same: workloads have what it signed."""
    namespace = await kube_api.new_namespace()
    async with client_of(kube_api) as client:
        leader = await opened(client, namespace)
        before = leader.roots.current
        async with running(leader.run, lambda: leader.lead(lasting_fence())):
            path = f"/api/v1/namespaces/{namespace}/secrets/{CA_SECRET}"
            assert (await kube_api.call("DELETE", path)).status == 200

            async def is_back() -> bool:
                return await roots_in(kube_api, namespace) == before.roots.to_pem()

            await eventually(is_back)
            await eventually(lambda: leader.problem == "")
        assert leader.roots.current.key_pem() == before.key_pem()
        again = await opened(client, namespace)
        assert again.roots.current.key_pem() == before.key_pem()


async def test_renewal_by_another_is_read_not_overwritten(kube_api: KubeApi) -> None:
    """Of two writers the later one reads again and finds nothing to do."""
    namespace = await kube_api.new_namespace()
    clock = FakeClock(PRESENT + timedelta(days=3650 * 0.81))
    async with client_of(kube_api) as client:
        old = (await opened(client, namespace)).roots.current.certificate
        leaders = [await opened(client, namespace, clock) for _ in range(3)]
        followers = [leader.run for leader in leaders]
        async with running(*followers, *(partial(leader.lead, lasting_fence()) for leader in leaders)):
            await eventually(lambda: all(leader.roots.current.certificate != old for leader in leaders))
        assert len({leader.roots.current.certificate for leader in leaders}) == 1
        final = await opened(client, namespace, clock)
    assert len(final.roots.current.roots.roots) == 2


async def test_body_of_a_made_secret_is_what_the_reader_expects(kube_api: KubeApi) -> None:
    """A Secret written by hand from the same texts is the same authority."""
    namespace, ca = await kube_api.new_namespace(), present_root()
    body = encode_ca_secret(ca, namespace=namespace, name=CA_SECRET)
    assert (await kube_api.call("POST", f"/api/v1/namespaces/{namespace}/secrets", body)).status == 201
    async with client_of(kube_api) as client:
        assert (await opened(client, namespace)).roots.current.certificate == ca.certificate


async def test_an_operators_secret_that_comes_later_takes_the_place_of_ours(kube_api: KubeApi) -> None:
    """At all replicas, without a restart, once its bundle has our root; afterwards ours may go and stays away."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    async with client_of(kube_api) as client:
        replicas = [await opened(client, namespace, check_s=0.01) for _ in range(2)]
        ours = replicas[0].roots.current
        leading = partial(replicas[0].lead, lasting_fence())
        async with running(*(replica.run for replica in replicas), leading):
            await kube_api.apply(plugged_in(namespace, theirs))
            await eventually(lambda: all("none in common" in replica.problem for replica in replicas))
            assert {replica.roots.current.certificate for replica in replicas} == {ours.certificate}
            broken = plugged_in(namespace, theirs)
            del broken["data"]["ca-key.pem"]
            await kube_api.delete(secret(namespace, PLUGGED_IN_SECRET))
            await eventually(lambda: all(replica.problem == "" for replica in replicas))
            await kube_api.apply(broken)
            await eventually(lambda: all("ca-key.pem missing" in replica.problem for replica in replicas))
            assert {replica.roots.current.certificate for replica in replicas} == {ours.certificate}
            both = msgspec.structs.replace(theirs, roots=theirs.roots + ours.roots)
            await kube_api.apply(plugged_in(namespace, both))
            await eventually(lambda: all(r.roots.current.certificate == theirs.certificate for r in replicas))
            assert all(replica.roots.current.roots == both.roots for replica in replicas)
            await kube_api.delete(secret(namespace, CA_SECRET))
            await kube_api.apply(plugged_in(namespace, theirs))
            await eventually(lambda: all(r.roots.current.roots == theirs.roots for r in replicas))
        assert {replica.problem for replica in replicas} == {""}
        assert await roots_in(kube_api, namespace) == b""
        assert await roots_in(kube_api, namespace, PLUGGED_IN_SECRET) == theirs.roots.to_pem(), "nobody wrote it"


async def test_ours_does_not_come_back_over_an_operators(kube_api: KubeApi) -> None:
    """A change of our Secret after the operator's took its place is nobody's business."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    async with client_of(kube_api) as client:
        replica = await opened(client, namespace)
        ours = replica.roots.current
        both = msgspec.structs.replace(theirs, roots=theirs.roots + ours.roots)
        async with running(replica.run):
            await kube_api.apply(plugged_in(namespace, both))
            await eventually(lambda: replica.roots.current.certificate == theirs.certificate)
            again = msgspec.structs.replace(ours, roots=both.roots)
            await kube_api.apply(msgspec.json.decode(encode_ca_secret(again, namespace=namespace, name=CA_SECRET)))
            third = msgspec.structs.replace(both, roots=both.roots + present_root("third").roots)
            await kube_api.apply(plugged_in(namespace, third))
            await eventually(lambda: replica.roots.current.roots == third.roots)
            assert replica.roots.current.certificate == theirs.certificate


async def test_what_is_wrong_with_an_operators_secret_stays_told_while_ours_changes(kube_api: KubeApi) -> None:
    """Each of the two is heard of by itself."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    async with client_of(kube_api) as client:
        replica = await opened(client, namespace)
        ours = replica.roots.current
        async with running(replica.run):
            await kube_api.apply(plugged_in(namespace, theirs))
            await eventually(lambda: "none in common" in replica.problem)
            more = msgspec.structs.replace(ours, roots=ours.roots + present_root("third").roots)
            await kube_api.apply(msgspec.json.decode(encode_ca_secret(more, namespace=namespace, name=CA_SECRET)))
            await eventually(lambda: replica.roots.current.roots == more.roots)
            assert "none in common" in replica.problem
            both = msgspec.structs.replace(theirs, roots=theirs.roots + ours.roots)
            await kube_api.apply(plugged_in(namespace, both))
            await eventually(lambda: replica.roots.current.certificate == theirs.certificate)
            assert replica.problem == ""


async def test_files_take_the_place_of_a_secret(kube_api: KubeApi, tmp_path: Path) -> None:
    """The kubelet mounts what the Secret holds; then only the files count, and nobody looks after a Secret."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    ca = CaSettings(trust_domain=TRUST_DOMAIN, plugged_in=tmp_path)
    async with client_of(kube_api) as client:
        replica = await opened(client, namespace, ca=ca, check_s=0.01)
        ours = replica.roots.current
        both = msgspec.structs.replace(theirs, roots=theirs.roots + ours.roots)
        async with running(replica.run, partial(replica.lead, lasting_fence())):
            (tmp_path / "ca-cert.pem").write_bytes(both.certificate_pem())
            (tmp_path / "ca-key.pem").write_bytes(both.key_pem())
            (tmp_path / "root-cert.pem").write_bytes(both.roots.to_pem())
            assert replica.roots.reload(now=PRESENT)
            await kube_api.delete(secret(namespace, CA_SECRET))
            await kube_api.apply(plugged_in(namespace, present_root("stranger")))
            other = await opened(client, namespace)  # the API server has told of all that by then
            assert other.roots.current.certificate == present_root("stranger").certificate
            current = replica.roots.current
            assert (current.certificate, current.roots, replica.problem) == (both.certificate, both.roots, "")
        assert await roots_in(kube_api, namespace) == b""


class SlowReads:
    """An API server whose answers to reads are held back while the gate is closed."""

    def __init__(self, client: SecretClient) -> None:
        self.watch, self.create, self.replace = client.watch, client.create, client.replace
        self._get = client.get
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.read: list[str] = []

    async def get(self, path: str, query: Mapping[str, str] = MappingProxyType({})) -> bytes:
        if path.endswith((CA_SECRET, PLUGGED_IN_SECRET)):
            self.waiting += 1
            await self.gate.wait()
            self.waiting -= 1
            self.read.append(path.rpartition("/")[2])
        return await self._get(path, query)


async def test_a_leader_that_was_reading_ours_does_not_write_it_again(kube_api: KubeApi) -> None:
    """The operator's took its place meanwhile, and ours was deleted, as is the last step."""
    namespace, theirs = await kube_api.new_namespace(), present_root("theirs")
    async with client_of(kube_api) as client:
        slow = SlowReads(client)
        replica = await opened(slow, namespace, check_s=0.01)
        both = msgspec.structs.replace(theirs, roots=theirs.roots + replica.roots.current.roots)
        slow.gate.clear()
        async with running(replica.run, partial(replica.lead, lasting_fence())):
            await eventually(lambda: slow.waiting == 1)
            await kube_api.apply(plugged_in(namespace, both))
            await eventually(lambda: replica.roots.current.certificate == theirs.certificate)
            await kube_api.delete(secret(namespace, CA_SECRET))
            slow.read.clear()
            slow.gate.set()
            await eventually(lambda: slow.read[-1:] == [PLUGGED_IN_SECRET])
            assert replica.roots.current.certificate == theirs.certificate
    assert slow.read[0] == CA_SECRET
    assert await roots_in(kube_api, namespace) == b""
