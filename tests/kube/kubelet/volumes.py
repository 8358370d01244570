"""A pod's volumes as folders: made before its containers start, renewed while it runs.

Files of ConfigMaps, Secrets, tokens and the downward API change all at once, by one link, as programs in pods expect.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from tests.kube.kubelet.api import Api, ApiError
from tests.kube.kubelet.environment import Json, MissingReferenceError, decoded, field, resource_field

__all__ = ["Files", "Volumes", "write_atomically"]

_DEFAULT_MODE: Final = 0o644
_RENEW_AT: Final = 0.8  # of a token's life


class File(msgspec.Struct, frozen=True):
    """A file of a volume."""

    content: bytes
    mode: int = _DEFAULT_MODE


Files = dict[str, File]


class _Token(msgspec.Struct, frozen=True):
    text: str
    renew_at: datetime


class Volumes:
    """The volumes of one pod."""

    def __init__(self, api: Api, directory: Path) -> None:
        self._api = api
        self._directory = directory
        self._written: dict[str, Files] = {}
        self._tokens: dict[str, _Token] = {}

    async def refresh(self, pod: Json, now: datetime) -> dict[str, Path]:
        """Make them, or bring them up to date; their folders by name.

        Raises:
            MissingReferenceError: an object that is not optional is missing.
            ApiError: the server does not give one.
        """
        folders = {}
        for volume in pod["spec"].get("volumes") or ():
            folder = self._directory / volume["name"]
            folders[volume["name"]] = folder
            if "hostPath" in volume:
                folders[volume["name"]] = Path(volume["hostPath"]["path"])
            elif "emptyDir" in volume:
                _make_empty(folder, pod)
            else:
                files = await self._files(pod, volume, now)
                if self._written.get(volume["name"]) != files:
                    write_atomically(folder, files, _owner(pod))
                    self._written[volume["name"]] = files
        return folders

    async def _files(self, pod: Json, volume: Json, now: datetime) -> Files:
        sources = volume["projected"]["sources"] if "projected" in volume else [volume]
        default = (volume.get("projected") or {}).get("defaultMode", _DEFAULT_MODE)
        found: Files = {}
        for source in sources:
            if "serviceAccountToken" in source:
                found |= await self._token(pod, source["serviceAccountToken"], now)
            elif "downwardAPI" in source:
                found |= _downward(pod, source["downwardAPI"], default)
            elif "configMap" in source or "secret" in source:
                kind = "ConfigMap" if "configMap" in source else "Secret"
                reference = source["configMap" if kind == "ConfigMap" else "secret"]
                found |= await self._object(pod, kind, reference, reference.get("defaultMode", default))
            else:
                raise MissingReferenceError(f"volume {volume['name']}: no source that is known: {sorted(source)}")
        return found

    async def _object(self, pod: Json, kind: str, reference: Json, mode: int) -> Files:
        name = reference.get("name") or reference.get("secretName")
        plural = "configmaps" if kind == "ConfigMap" else "secrets"
        try:
            item = await self._api.call("GET", f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{name}")
        except ApiError as error:
            if error.status != 404:
                raise
            if reference.get("optional"):
                return {}
            raise MissingReferenceError(f'{kind.lower()} "{name}" not found') from None
        data = decoded(kind, item)
        if not reference.get("items"):
            return {key: File(value, mode) for key, value in data.items()}
        lacking = [entry["key"] for entry in reference["items"] if entry["key"] not in data]
        if lacking and not reference.get("optional"):
            raise MissingReferenceError(f'{kind.lower()} "{name}" has no {", ".join(lacking)}')
        entries = [entry for entry in reference["items"] if entry["key"] in data]
        return {entry["path"]: File(data[entry["key"]], entry.get("mode", mode)) for entry in entries}

    async def _token(self, pod: Json, source: Json, now: datetime) -> Files:
        held = self._tokens.get(source["path"])
        if held is None or now >= held.renew_at:
            metadata = pod["metadata"]
            account = pod["spec"].get("serviceAccountName", "default")
            life_s = source.get("expirationSeconds", 3600)
            bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            spec: Json = {"expirationSeconds": life_s, "boundObjectRef": bound}
            if source.get("audience"):
                spec["audiences"] = [source["audience"]]
            path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
            answer = await self._api.call("POST", path, {"spec": spec})
            held = _Token(answer["status"]["token"], now + timedelta(seconds=life_s * _RENEW_AT))
            self._tokens[source["path"]] = held
        return {source["path"]: File(held.text.encode(), _token_mode(pod))}


def _downward(pod: Json, source: Json, default: int) -> Files:
    found: Files = {}
    for entry in source.get("items") or ():
        if "fieldRef" in entry:
            text = field(pod, entry["fieldRef"]["fieldPath"])
        else:
            text = resource_field(pod, {}, entry["resourceFieldRef"])
        found[entry["path"]] = File(text.encode(), entry.get("mode", default))
    return found


def _users(pod: Json) -> set[int | None]:
    shared = (pod["spec"].get("securityContext") or {}).get("runAsUser")
    containers = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    return {(container.get("securityContext") or {}).get("runAsUser", shared) for container in containers}


def _owner(pod: Json) -> tuple[int, int]:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup", 0)
    users = _users(pod)
    user = next(iter(users)) if len(users) == 1 else None
    return user or 0, group


def _token_mode(pod: Json) -> int:
    """Readable by the group of the volumes, else by the one user of all containers, else by everybody."""
    if "fsGroup" in (pod["spec"].get("securityContext") or {}):
        return 0o640
    users = _users(pod)
    return 0o600 if len(users) == 1 and None not in users else 0o644


def _make_empty(folder: Path, pod: Json) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        group = _owner(pod)[1]
        os.chown(folder, 0, group)
        folder.chmod(0o2777 if group else 0o777)


def write_atomically(folder: Path, files: Mapping[str, File], owner: tuple[int, int]) -> None:
    """Put the files into the folder so that a reader sees all old ones or all new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"..{uuid4().hex[:8]}"
    for name, file in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        os.chown(path, *owner)
    fresh.mkdir(exist_ok=True)
    link = folder / "..data"
    old = link.resolve() if link.is_symlink() else None
    scratch = folder / "..data_tmp"
    scratch.symlink_to(fresh.name)
    scratch.rename(link)
    tops = {name.partition("/")[0] for name in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()  # folders are where other volumes are mounted
    if old is not None:
        shutil.rmtree(old)


async def fetch_references(
    api: Api, namespace: str, names: set[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, str]]:
    """Data of the objects that environments are made of; those that are not there are left out."""

    async def one(kind: str, name: str) -> tuple[tuple[str, str], dict[str, str]] | None:
        plural = "configmaps" if kind == "ConfigMap" else "secrets"
        try:
            item = await api.call("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return (kind, name), {key: value.decode(errors="replace") for key, value in decoded(kind, item).items()}

    found = await asyncio.gather(*(one(kind, name) for kind, name in sorted(names)))
    return dict(entry for entry in found if entry is not None)
