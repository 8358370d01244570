"""Settings of what is written to a cluster, and of who may ask there; part of ``Settings``."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from discovery.settings_reader import SettingsReader

__all__ = ["WRITING_VARIABLES", "WritingSettings", "read_writing_settings"]

WRITING_VARIABLES: Final[tuple[tuple[str, str, str], ...]] = (
    ("ENABLE_LEADER_ELECTION", "true", "Whether replicas elect the one that writes; false: there is only one."),
    (
        "USE_CACERTS_FOR_SELF_SIGNED_CA",
        "false",
        "Keep the self-signed root of a cluster in the Secret cacerts instead of istio-ca-secret.",
    ),
    (
        "CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL",
        "1h",
        "How often the leader looks whether the root nears its end.",
    ),
    (
        "CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE",
        "20",
        "The self-signed root is renewed when this part of its life is left, in percent.",
    ),
    ("PILOT_CA_CERT_CONFIGMAP", "istio-ca-root-cert", "ConfigMap with the mesh's roots in every namespace."),
    (
        "INJECTION_WEBHOOK_CONFIG_NAME",
        "istio-sidecar-injector",
        "MutatingWebhookConfiguration whose CA bundle is kept, beside those with the label istio.io/rev of ours; "
        "empty: none are looked at.",
    ),
    ("VALIDATION_WEBHOOK_CONFIG_NAME", "istio-istio-system", "ValidatingWebhookConfiguration, likewise."),
    (
        "PILOT_SWITCH_VALIDATION_FAILURE_POLICY",
        "false",
        "Switch its failurePolicy from Ignore to Fail once a dry run was refused, as istiod's own charts need it.",
    ),
    ("PILOT_ENABLE_CONFIG_STATUS", "true", "Conditions and Events on configuration objects of a cluster."),
    ("REQUIRE_3P_TOKEN", "true", "Refuse service account tokens that are not meant for TOKEN_AUDIENCES."),
    (
        "CA_TRUSTED_NODE_ACCOUNTS",
        "",
        "Comma list of namespace/account: proxies of nodes, which may have certificates of the pods on their node.",
    ),
)


class WritingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See ``WRITING_VARIABLES``."""

    elect_leader: bool = True
    use_cacerts: bool = False
    root_check: timedelta = timedelta(hours=1)
    root_grace_percent: int = 20
    root_config_map: str = "istio-ca-root-cert"
    injection_webhook: str = "istio-sidecar-injector"
    validation_webhook: str = "istio-istio-system"
    switch_failure_policy: bool = False
    config_status: bool = True
    require_audience: bool = True
    trusted_node_accounts: frozenset[tuple[str, str]] = frozenset()


def read_writing_settings(read: SettingsReader) -> WritingSettings:
    """Read all of them; what is wrong is among the reader's findings."""
    check, percent = WRITING_VARIABLES[2][0], WRITING_VARIABLES[3][0]
    return WritingSettings(
        elect_leader=read.switch("ENABLE_LEADER_ELECTION"),
        use_cacerts=read.switch("USE_CACERTS_FOR_SELF_SIGNED_CA"),
        root_check=read.duration(read.variable(check), check),
        root_grace_percent=_percent(read, percent),
        root_config_map=read.variable("PILOT_CA_CERT_CONFIGMAP"),
        injection_webhook=read.variable("INJECTION_WEBHOOK_CONFIG_NAME"),
        validation_webhook=read.variable("VALIDATION_WEBHOOK_CONFIG_NAME"),
        switch_failure_policy=read.switch("PILOT_SWITCH_VALIDATION_FAILURE_POLICY"),
        config_status=read.switch("PILOT_ENABLE_CONFIG_STATUS"),
        require_audience=read.switch("REQUIRE_3P_TOKEN"),
        trusted_node_accounts=_accounts(read, "CA_TRUSTED_NODE_ACCOUNTS"),
    )


def _percent(read: SettingsReader, name: str) -> int:
    text = read.variable(name)
    if not text.isdecimal() or not 0 < int(text) < 100:
        read.findings.append(f"{name}={text!r}: want a whole number of percent, 1 to 99")
        return 20
    return int(text)


def _accounts(read: SettingsReader, name: str) -> frozenset[tuple[str, str]]:
    found = set()
    for part in filter(None, (part.strip() for part in read.variable(name).split(","))):
        namespace, slash, account = part.partition("/")
        if not (namespace and slash and account) or "/" in account:
            read.findings.append(f"{name}: {part!r} is no namespace/account")
            continue
        found.add((namespace, account))
    return frozenset(found)
