"""What a test holds of an API server, the same for the double and for the real one.

Everything but `double`, `faults` and `requests` speaks HTTP to the address, so a test that uses the rest runs against
both. A test on the real server shares it with other tests: make a namespace of your own with `new_namespace`.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
import msgspec
import yaml

from tests.kit.kube_api.events import WatchStream
from tests.kit.kube_api.objects import Json

if TYPE_CHECKING:
    from tests.kit.kube_api.double import Double
    from tests.kit.kube_api.faults import Faults
    from tests.kit.kube_api.requests import RequestLog

__all__ = ["Answer", "ApiAddress", "ApiCallError", "Json", "KubeApi", "kubeconfig_text"]

_FIELD_MANAGER: Final = "test"
_PAUSE_S: Final = 0.02
_GONE_WITHIN_S: Final = 30.0


class ApiAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is and how to be its administrator.

    Attributes:
        url: without a trailing slash.
        kubeconfig: a file with the administrator's token; kubectl and clients use it.
        ca_pem: what its serving certificate chains to.
        version: `gitVersion` of `/version`.
    """

    url: str
    kubeconfig: Path
    ca_pem: bytes
    admin_token: str
    version: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body, which must be a JSON object."""
        return msgspec.json.decode(self.body, type=Json)


class ApiCallError(AssertionError):
    """The server refused what a test took for granted; the answer is in `answer`."""

    def __init__(self, call: str, answer: Answer) -> None:
        super().__init__(f"{call}: {answer.status} {answer.body.decode(errors='replace')[:2000]}")
        self.answer = answer


class KubeApi:
    """A running API server, seen by its administrator. Open it with `async with`, once per event loop."""

    def __init__(self, address: ApiAddress, double: Double | None = None) -> None:
        self._address = address
        self._double = double
        self._session: aiohttp.ClientSession | None = None
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cadata=self.ca_pem.decode())
        connector = aiohttp.TCPConnector(ssl=context)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        """Where it serves, without a trailing slash."""
        return self._address.url

    @property
    def kubeconfig(self) -> Path:
        """A file that makes kubectl and clients the administrator."""
        return self._address.kubeconfig

    @property
    def ca_pem(self) -> bytes:
        """What the serving certificate chains to."""
        return self._address.ca_pem

    @property
    def admin_token(self) -> str:
        """The administrator's bearer token."""
        return self._address.admin_token

    @property
    def version(self) -> str:
        """Its version, such as `v1.36.3`."""
        return self._address.version

    @property
    def faults(self) -> Faults:
        """What can be made to go wrong; only the double has it (mark the test `kube_double`)."""
        return self.double.faults

    @property
    def requests(self) -> RequestLog:
        """Every call that reached the double (mark the test `kube_double`)."""
        return self.double.requests

    @property
    def double(self) -> Double:
        """The double itself.

        Raises:
            AssertionError: this is the real server.
        """
        assert self._double is not None, "only the test double has this: mark the test `kube_double`"
        return self._double

    def enforce_rbac(self) -> None:
        """From now on roles decide; the real server never does otherwise."""
        if self._double is not None:
            self._double.enforce_rbac()

    async def call(  # noqa: PLR0913 - a request has these parts
        self,
        method: str,
        path: str,
        body: Json | bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        token: str | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        """Send one request and read the whole answer; as the administrator unless a token is given ("" for none)."""
        assert self._session is not None, "open the handle with `async with` first"
        token = self.admin_token if token is None else token
        headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else None
        if data is not None:
            headers["Content-Type"] = content_type
        async with self._session.request(method, self.url + path, data=data, params=query, headers=headers) as answer:
            return Answer(status=answer.status, headers=dict(answer.headers), body=await answer.read())

    async def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json | None:
        """The object as it is now; None when there is none."""
        answer = await self.call("GET", await self.path(api_version, kind, namespace, name))
        return None if answer.status == 404 else self._expect(f"get {kind} {namespace}/{name}", answer)

    async def list_all(self, api_version: str, kind: str, namespace: str = "", **query: str) -> list[Json]:
        """All objects of the kind, in one namespace or everywhere; `query` such as `labelSelector="app=x"`."""
        answer = await self.call("GET", await self.path(api_version, kind, namespace), query=query)
        items: list[Json] = self._expect(f"list {kind} {namespace}", answer)["items"]
        return items

    @asynccontextmanager
    async def watch(
        self, api_version: str, kind: str, namespace: str = "", *, accept: str = "application/json", **query: str
    ) -> AsyncIterator[WatchStream]:
        """A watch, open until the context ends; `query` such as `resourceVersion="12"`."""
        assert self._session is not None, "open the handle with `async with` first"
        path = await self.path(api_version, kind, namespace)
        headers = {"Authorization": f"Bearer {self.admin_token}", "Accept": accept}
        query["watch"] = "true"
        async with self._session.get(self.url + path, params=query, headers=headers, read_bufsize=2**22) as response:
            yield WatchStream(response)

    async def apply(self, *objects: Mapping[str, Any]) -> list[Json]:
        """Make the objects so by forced server-side apply, in order; what the server made of them.

        A CustomResourceDefinition is served when this returns.
        """
        applied = []
        for item in objects:
            path = await self._path_of(item)
            query = {"fieldManager": _FIELD_MANAGER, "force": "true"}
            body = dict(item)
            answer = await self.call("PATCH", path, body, query=query, content_type="application/apply-patch+yaml")
            applied.append(self._expect(f"apply {path}", answer))
            if item["kind"] == "CustomResourceDefinition":
                await self._until_served(item)
        return applied

    async def create(self, item: Mapping[str, Any], **query: str) -> Json:
        """Make an object; what the server made of it.

        Raises:
            ApiCallError: it refuses, for example because there is one already.
        """
        path = await self.path(item["apiVersion"], item["kind"], item["metadata"].get("namespace", "default"))
        return self._expect(f"create in {path}", await self.call("POST", path, dict(item), query=query))

    async def replace(self, item: Mapping[str, Any], **query: str) -> Json:
        """Put an object in the place of the one with its name; what the server made of it.

        Raises:
            ApiCallError: it refuses, for example because the resource version is stale.
        """
        path = await self._path_of(item)
        return self._expect(f"replace {path}", await self.call("PUT", path, dict(item), query=query))

    async def set_status(self, item: Mapping[str, Any]) -> Json:
        """Replace the status of an object by the one given here."""
        path = await self._path_of(item) + "/status"
        answer = await self.call("PATCH", path, {"status": item["status"]}, content_type="application/merge-patch+json")
        return self._expect(f"status {path}", answer)

    async def delete(self, *objects: Mapping[str, Any], grace_s: int | None = None) -> None:
        """Delete the objects, in order; one that is not there is fine. Finalizers may keep them, see `until_gone`."""
        for item in objects:
            path = await self._path_of(item)
            query = {} if grace_s is None else {"gracePeriodSeconds": str(grace_s)}
            answer = await self.call("DELETE", path, query=query)
            if answer.status != 404:
                self._expect(f"delete {path}", answer)

    async def until_gone(self, *objects: Mapping[str, Any]) -> None:
        """Return once none of the objects is there.

        Raises:
            TimeoutError: one is, for half a minute.
        """
        async with asyncio.timeout(_GONE_WITHIN_S):
            for item in objects:
                path = await self._path_of(item)
                while (await self.call("GET", path)).status != 404:  # noqa: ASYNC110 - nobody announces it
                    await asyncio.sleep(_PAUSE_S)

    async def new_namespace(self, prefix: str = "test-", labels: Mapping[str, str] | None = None) -> str:
        """The name of a fresh namespace, where a `default` service account is or soon will be."""
        body: Json = {"metadata": {"generateName": prefix, "labels": dict(labels or {})}}
        name: str = self._expect("namespace", await self.call("POST", "/api/v1/namespaces", body))["metadata"]["name"]
        return name

    async def token_for(
        self,
        namespace: str,
        service_account: str,
        audiences: Sequence[str] = (),
        *,
        pod: Json | None = None,
        expiration_s: int = 3600,
    ) -> str:
        """A token as a pod gets it projected; the account is made if it is missing.

        Args:
            audiences: none stands for the API server itself.
            pod: the object to bind the token to, as the server returned it.
        """
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        made = await self.call("POST", accounts, {"metadata": {"name": service_account}})
        if made.status != 409:
            self._expect(f"service account {namespace}/{service_account}", made)
        spec: Json = {"audiences": list(audiences), "expirationSeconds": expiration_s}
        if pod is not None:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]
            }  # fmt: skip
        answer = await self.call("POST", f"{accounts}/{service_account}/token", {"spec": spec})
        token: str = self._expect(f"token of {namespace}/{service_account}", answer)["status"]["token"]
        return token

    def write_kubeconfig(self, path: Path, token: str, namespace: str = "default") -> Path:
        """A kubeconfig for the bearer of a token; the path given."""
        path.write_text(kubeconfig_text(self.url, self.ca_pem, token, namespace), encoding="utf-8")
        return path

    async def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The URL path of a collection or object, from the server's discovery documents."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if (api_version, kind) not in self._plurals:
            listing = self._expect(f"discovery of {api_version}", await self.call("GET", root))
            for resource in listing["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = (resource["name"], resource["namespaced"])
        assert (api_version, kind) in self._plurals, f"the server serves no {kind} of {api_version}"
        plural, namespaced = self._plurals[api_version, kind]
        inside = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{root}{inside}/{plural}" + (f"/{name}" if name else "")

    async def _path_of(self, item: Mapping[str, Any]) -> str:
        metadata = item["metadata"]
        return await self.path(item["apiVersion"], item["kind"], metadata.get("namespace", "default"), metadata["name"])

    async def _until_served(self, definition: Mapping[str, Any]) -> None:
        spec = definition["spec"]
        versions = [version["name"] for version in spec["versions"] if version.get("served")]
        async with asyncio.timeout(_GONE_WITHIN_S):
            for version in versions:
                path = f"/apis/{spec['group']}/{version}"
                while not await self._lists(path, spec["names"]["plural"]):  # noqa: ASYNC110 - likewise
                    await asyncio.sleep(_PAUSE_S)

    async def _lists(self, path: str, plural: str) -> bool:
        """Whether the group's document has the resource and it answers: the real server does both, but not at once."""
        listing = await self.call("GET", path)
        if listing.status != 200 or plural not in {resource["name"] for resource in listing.json["resources"]}:
            return False
        return (await self.call("GET", f"{path}/{plural}", query={"limit": "1"})).status == 200

    @staticmethod
    def _expect(call: str, answer: Answer) -> Json:
        if not 200 <= answer.status < 300:
            raise ApiCallError(call, answer)
        return answer.json


def kubeconfig_text(url: str, ca_pem: bytes, token: str, namespace: str = "default") -> str:
    """A kubeconfig with one cluster, one user by token, and the context that joins them."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "test",
                "cluster": {"server": url, "certificate-authority-data": base64.b64encode(ca_pem).decode()},
            }
        ],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin", "namespace": namespace}}],
        "current-context": "test",
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text
