from __future__ import annotations

from discovery.schema.proto_json import read_leniently
from discovery.validation.analyze.kubernetes import ConfigMap, Deployment, Pod, Service, WebhookConfiguration


def test_what_users_write_is_read() -> None:
    """Nulls are nothing, unknown fields are let be, numbers and names of ports are both taken."""
    port = {"port": 80, "targetPort": "http"}
    service = read_leniently(
        Service, {"spec": {"ports": [port, {"port": 81, "targetPort": 8}], "selector": None, "x": 1}}
    )
    assert [port.target_port for port in service.spec.ports] == ["http", 8]
    assert service.spec.selector == {}
    pod = read_leniently(
        Pod, {"spec": {"containers": [{"name": "a", "args": None, "securityContext": {"runAsUser": 5}}]}}
    )
    assert pod.spec.containers[0].security_context is not None
    assert pod.spec.containers[0].security_context.run_as_user == 5
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    assert read_leniently(Deployment, {"spec": {"template": template}}).spec.template.metadata.labels == {"a": "b"}
    assert read_leniently(ConfigMap, {"data": {"a": "b"}}).data == {"a": "b"}
    hook = {"name": "h", "clientConfig": {"url": None, "service": {"name": "s", "namespace": "n"}}}
    (read,) = read_leniently(WebhookConfiguration, {"webhooks": [hook]}).webhooks
    assert read.client_config.service is not None
    assert (read.client_config.url, read.client_config.service.name) == (None, "s")
