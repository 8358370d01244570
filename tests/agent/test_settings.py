from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import SettingsError, process_environ, use_system_resolver
from certs.keys import MAX_RSA_BITS
from tests.kit.agent import settings


def _mesh(directory: Path, text: str) -> None:
    path = directory / "etc/istio/config/mesh"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_layers_of_proxy_config(tmp_path: Path) -> None:
    """Defaults < mesh file < environment < annotation < single annotations; metadata is merged key by key."""
    _mesh(tmp_path, "defaultConfig: {statusPort: 1, proxyAdminPort: 1, drainDuration: 1s, proxyMetadata: {A: m, B: m}}")
    told = settings(
        tmp_path,
        env={"PROXY_CONFIG": '{"proxyAdminPort": 2, "drainDuration": "2s", "proxyMetadata": {"B": "e"}}'},
        annotations={
            "proxy.istio.io/config": "drain_duration: 3s",
            "sidecar.istio.io/discoveryAddress": "mine:1",
            "status.sidecar.istio.io/port": "9",
        },
    ).config
    assert (told.status_port, told.proxy_admin_port, told.drain_duration, told.discovery_address) == (
        9,
        2,
        "3s",
        "mine:1",
    )
    assert told.proxy_metadata == {"A": "m", "B": "e"}
    assert told.config_path == "./etc/istio/proxy"


@pytest.mark.parametrize(
    ("flag", "config", "limit", "workers"),
    [(0, None, "", None), (0, None, "3", 3), (0, 2, "3", 2), (5, 2, "3", 5), (0, 0, "3", 0)],
)
def test_who_says_how_many_workers(
    tmp_path: Path, flag: int, config: int | None, limit: str, workers: int | None
) -> None:
    """The flag, else ProxyConfig, else the CPU limit."""
    env = {"ISTIO_CPU_LIMIT": limit}
    if config is not None:
        env["PROXY_CONFIG"] = f'{{"concurrency": {config}}}'
    assert settings(tmp_path, flags={"concurrency": flag}, env=env).config.concurrency == workers


def test_domain_follows_the_namespace(tmp_path: Path) -> None:
    """Unless it is given."""
    assert settings(tmp_path, env={"POD_NAMESPACE": "shop"}).domain == "shop.svc.cluster.local"
    assert settings(tmp_path, flags={"domain": "d"}, env={"POD_NAMESPACE": "shop"}).domain == "d"
    assert settings(tmp_path).domain == ""


def test_headers_and_metadata_come_from_the_environment(tmp_path: Path) -> None:
    """By their prefixes; everything else stays outside."""
    env = {"XDS_HEADER_A": "1", "CA_HEADER_B": "2", "ISTIO_META_X": "3", "ISTIO_METAJSON_Y": "{}", "HOME": "/"}
    told = settings(tmp_path, env=env)
    assert (told.xds_headers, told.ca_headers) == ({"A": "1"}, {"B": "2"})
    assert set(told.node_environ) == {"ISTIO_META_X", "ISTIO_METAJSON_Y"}


@pytest.mark.parametrize(
    ("host_ip", "address"), [("10.0.0.1", "10.0.0.1:8126"), ("fd00::1", "[fd00::1]:8126"), ("", "$(HOST_IP):8126")]
)
def test_the_host_is_written_into_addresses(tmp_path: Path, host_ip: str, address: str) -> None:
    """IPv6 in brackets; without a host the text stays for somebody to see."""
    env = {"HOST_IP": host_ip, "PROXY_CONFIG": '{"tracing": {"datadog": {"address": "$(HOST_IP):8126"}}}'}
    tracing = settings(tmp_path, env=env).config.tracing
    assert tracing is not None
    assert tracing.datadog is not None
    assert tracing.datadog.address == address


@pytest.mark.parametrize(
    ("flags", "env", "finding"),
    [
        ({"role": "waypoint"}, {}, "'waypoint' is not served by this agent"),
        ({"role": "x"}, {}, "invalid proxy Type: x"),
        ({}, {"PROXY_CONFIG": "a: [b"}, "PROXY_CONFIG: neither YAML nor JSON"),
        ({}, {"PROXY_CONFIG": "[1]"}, "PROXY_CONFIG: want an object, found list"),
        ({}, {"PROXY_CONFIG": '{"drainDuration": "x"}'}, "PROXY_CONFIG: ProxyConfig drainDuration"),
        ({}, {"PROXY_CONFIG": '{"drainDuration": "-1s"}'}, "drainDuration is -1 s"),
        ({}, {"PROXY_CONFIG": '{"discoveryAddress": "istiod"}'}, "discoveryAddress: 'istiod' is no address"),
        ({}, {"PROXY_CONFIG": '{"proxyAdminPort": 0}'}, "proxyAdminPort is 0, want 1 to 65535"),
        ({}, {"PROXY_CONFIG": '{"statusPort": 70000}'}, "statusPort is 70000"),
        ({}, {"PROXY_CONFIG": '{"configPath": ""}'}, "configPath is empty"),
        ({}, {"PROXY_CONFIG": '{"serviceCluster": ""}'}, "serviceCluster is empty"),
        ({}, {"PROXY_CONFIG": '{"tracing": {"zipkin": {"address": "z"}}}'}, "tracing: 'z' is no address"),
        ({}, {"PROV_CERT": "/a", "FILE_MOUNTED_CERTS": "true"}, "exclude each other"),
        ({}, {"WORKLOAD_IDENTITY_SOCKET_FILE": "a/b"}, "want a file name without a directory"),
        ({}, {"DNS_FORWARD_TIMEOUT": "0s"}, "DNS_FORWARD_TIMEOUT is 0 s, in which no name server answers"),
        ({}, {"WORKLOAD_RSA_KEY_SIZE": "1024"}, f"want 2048 to {MAX_RSA_BITS}"),
        ({}, {"WORKLOAD_RSA_KEY_SIZE": str(MAX_RSA_BITS + 1)}, f"want 2048 to {MAX_RSA_BITS}"),
        ({}, {"ECC_SIGNATURE_ALGORITHM": "RSA"}, "'RSA' is unknown, want ECDSA, or leave it unset"),
        ({}, {"ECC_CURVE": "P521"}, "'P521' is unknown, want P256 or P384"),
        ({}, {"COMPLIANCE_POLICY": "fips"}, "'fips' is unknown, want fips-140-2 or fips-140-3 or pqc"),
        ({"concurrency": -3}, {}, "concurrency is -3, want a number of worker threads, or 0 for all CPUs"),
        ({}, {"PROXY_CONFIG": '{"concurrency": -1}'}, "concurrency is -1"),
        ({}, {"ENVOY_STATUS_PORT": "99999"}, "ENVOY_STATUS_PORT is 99999, want 1 to 65535, or 0 for none"),
        ({}, {"ENVOY_SECURE_METRICS_PORT": "-1"}, "ENVOY_SECURE_METRICS_PORT is -1"),
        ({}, {"ENVOY_STATUS_PORT": "15090"}, "ENVOY_PROMETHEUS_PORT is 15090, as ENVOY_STATUS_PORT is"),
        ({}, {"PROXY_CONFIG": '{"statusPort": 15000}'}, "statusPort is 15000, as ProxyConfig proxyAdminPort is"),
        ({}, {"CA_PROVIDER": "GoogleCA"}, "is not supported, want Citadel"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, flags: dict[str, str], env: dict[str, str], finding: str) -> None:
    """Before anything is started, by name."""
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, flags=flags, env=env)
    assert len(caught.value.findings) == 1
    assert finding in caught.value.findings[0]


@pytest.mark.parametrize(
    "env", [{"DISABLE_ENVOY": "true"}, {"PROXY_CONFIG": '{"customConfigFile": "/envoy.yaml", "statusPort": 15021}'}]
)
def test_ports_of_no_envoy_of_ours_are_free(tmp_path: Path, env: dict[str, str]) -> None:
    """Without one nobody listens at them; with a file of the user's own that file says who does."""
    told = {"PROXY_CONFIG": '{"statusPort": 15021}', **env}
    assert settings(tmp_path, env=told).config.status_port == 15021


def test_all_findings_are_told_at_once(tmp_path: Path) -> None:
    """Nobody wants to start five times to find five mistakes."""
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, flags={"role": "x"}, env={"PROXY_CONFIG": '{"proxyAdminPort": 0, "statusPort": -1}'})
    assert len(caught.value.findings) == 3


def test_a_broken_mesh_file_is_told(tmp_path: Path) -> None:
    """With its name; a missing one is normal."""
    _mesh(tmp_path, "defaultConfig: {")
    with pytest.raises(SettingsError, match=r"mesh file \./etc/istio/config/mesh: neither YAML nor JSON"):
        settings(tmp_path)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"defaultConfig: text", "mesh file ./etc/istio/config/mesh: defaultConfig: want an object, found str"),
        (b"defaultConfig: [1]", "mesh file ./etc/istio/config/mesh: defaultConfig: want an object, found list"),
        (b"a: \xff", "mesh file ./etc/istio/config/mesh: byte 3 is no UTF-8"),
    ],
)
def test_a_mesh_file_of_something_else_is_told(tmp_path: Path, content: bytes, finding: str) -> None:
    """By its name, and not by a crash."""
    _mesh(tmp_path, "")
    (tmp_path / "etc/istio/config/mesh").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path)
    assert [text.startswith(finding) for text in caught.value.findings] == [True]


def test_files_about_the_pod(tmp_path: Path) -> None:
    """A byte that is no text spoils its own line alone; what cannot be read at all is told by its name."""
    folder = tmp_path / "etc/istio/pod"
    folder.mkdir(parents=True)
    (folder / "labels").write_bytes(b'a="\xff"\nb="c"\n')
    (folder / "annotations").mkdir()
    with pytest.raises(SettingsError, match=r"etc/istio/pod/annotations: Is a directory"):
        settings(tmp_path)
    (folder / "annotations").rmdir()
    assert settings(tmp_path).pod_labels == {"a": "\ufffd", "b": "c"}


def test_who_chose_the_binary(tmp_path: Path) -> None:
    """The default path is nobody's choice, so another place may be looked at."""
    assert not settings(tmp_path).binary_is_chosen
    assert settings(tmp_path, flags={"binary_path": "/e"}).config.binary_path == "/e"
    assert settings(tmp_path, env={"PROXY_CONFIG": '{"binaryPath": "/x"}'}).binary_is_chosen


@pytest.mark.parametrize(("given", "used"), [("", "native"), ("ares", "ares")])
def test_names_are_looked_up_as_the_system_does(given: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By gRPC too, unless somebody wants its own resolver."""
    monkeypatch.delenv("GRPC_DNS_RESOLVER", raising=False)
    if given:
        monkeypatch.setenv("GRPC_DNS_RESOLVER", given)
    use_system_resolver()
    assert process_environ()["GRPC_DNS_RESOLVER"] == used
    monkeypatch.delenv("GRPC_DNS_RESOLVER")
