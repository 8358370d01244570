"""What the tests of the mesh in a cluster share: applications, and how they are called."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from tests.kube.cluster import Cluster

__all__ = ["CALLER", "ECHO", "SYSTEM", "URL", "called", "caller", "injects"]

SYSTEM: Final = "istio-system"
URL: Final = "http://echo/"

ECHO: Final = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: echo}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      serviceAccountName: echo
      terminationGracePeriodSeconds: 20
      containers:
      - name: echo
        image: echo
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, failureThreshold: 1}
        # As every application needs it: endpoints are withdrawn while it is being told to end, not before.
        lifecycle: {preStop: {sleep: {seconds: 3}}}
        volumeMounts: [{name: state, mountPath: /state}]
      volumes: [{name: state, emptyDir: {}}]
"""

CALLER: Final = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: caller}
"""


def injects(cluster: Cluster) -> bool:
    """Whether a pod that wants a proxy would get one: the whole control plane works then."""
    metadata = {"name": "probe", "namespace": "default", "labels": {"sidecar.istio.io/inject": "true"}}
    spec = {"containers": [{"name": "main", "image": "shell"}]}
    text = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    done = cluster.try_kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=text)
    return done.returncode == 0 and "istio-proxy" in done.stdout


def caller(name: str, **environment: str) -> str:
    """A pod that calls `echo`; without further words it goes on until it is deleted."""
    labels = {"app": name}
    env = [{"name": key, "value": value} for key, value in {"URL": URL, **environment}.items()]
    spec = {
        "serviceAccountName": "caller",
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 10,
        "containers": [{"name": "caller", "image": "caller", "env": env}],
    }
    metadata = {"name": name, "labels": labels}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def called(site: Cluster, namespace: str, name: str, **environment: str) -> list[dict[str, Any]]:
    """What a caller was answered, and the counts as the last entry."""
    site.kubectl("apply", "-n", namespace, "-f", "-", stdin=caller(name, **environment))
    await site.phase(namespace, name, "Succeeded", "Failed")
    return site.lines(namespace, name, "caller")
