"""Which DestinationRule governs a service, how rules merge, and the policy that follows."""

from __future__ import annotations

from datetime import timedelta

from discovery.mesh.destination_rules import (
    PolicyFor,
    RuleFor,
    destination_rule,
    rule_label_keys,
    rule_sources,
    traffic_policy,
)
from discovery.registry.service import ServiceRef
from discovery.schema.mesh_config import MeshConfig
from tests.kit.destination_rules import REVIEWS, document
from tests.kit.mesh_db import MeshDb


def chosen(mesh: MeshDb, client: str, service: ServiceRef = REVIEWS, **labels: str) -> list[str]:
    return [key.name for key in rule_sources(mesh.db, RuleFor(client, service, tuple(sorted(labels.items()))))]


def test_lookup_goes_client_then_service_then_root_namespace() -> None:
    """A client's own rule wins, then the service owner's, then the mesh's."""
    rules = {
        "client": document("client", "", namespace="web"),
        "owner": document("owner", ""),
        "root": document("root", "", namespace="istio-system"),
    }
    assert chosen(MeshDb("".join(rules.values())), "web") == ["client"]
    assert chosen(MeshDb(rules["owner"] + rules["root"]), "web") == ["owner"]
    assert chosen(MeshDb(rules["root"]), "web") == ["root"]
    assert chosen(MeshDb(), "web") == []
    assert chosen(MeshDb("".join(rules.values())), "") == []


def test_exported_to_others_only_as_written() -> None:
    """A rule of the service's namespace counts for those it is exported to; in its own namespace always."""
    mesh = MeshDb(document("private", "exportTo: ['.']"))
    assert chosen(mesh, "shop") == ["private"]
    assert chosen(mesh, "web") == []
    mesh = MeshDb(document("named", "exportTo: [web]"))
    assert chosen(mesh, "web") == ["named"]
    assert chosen(mesh, "else") == []


def test_mesh_default_export_applies_where_nothing_is_written() -> None:
    """``defaultDestinationRuleExportTo: ["."]`` makes rules private."""
    mesh = MeshDb(document("a", ""), mesh=MeshConfig(default_destination_rule_export_to=(".",)))
    assert chosen(mesh, "web") == []
    assert chosen(mesh, "shop") == ["a"]


def test_clients_in_the_root_namespace_prefer_the_owner_to_mesh_wide_rules() -> None:
    """A rule of the root namespace that everybody sees is the last resort, also for the root namespace itself."""
    text = document("owner", "") + document("mesh", "", namespace="istio-system")
    assert chosen(MeshDb(text), "istio-system") == ["owner"]
    private = document("mine", "exportTo: ['.']", namespace="istio-system")
    assert chosen(MeshDb(text + private), "istio-system") == ["mine"]


def test_exact_host_then_longest_wildcard() -> None:
    """Within a namespace the most specific host decides; a short host name means the rule's own namespace."""
    rules = [
        document("all", "", host="*"),
        document("domain", "", host="*.cluster.local"),
        document("namespace", "", host="*.shop.svc.cluster.local"),
        document("exact", "", host="reviews"),
    ]
    for count, wanted in enumerate(["all", "domain", "namespace", "exact"], start=1):
        assert chosen(MeshDb("".join(rules[:count])), "shop") == [wanted]


def test_rules_for_one_host_with_equal_audience_merge() -> None:
    """Subsets of later rules are added by new name, the first traffic policy wins; the oldest rule comes first."""
    mesh = MeshDb(
        document("new", "subsets: [{name: v1}, {name: v2}]\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}")
        + document("old", "subsets: [{name: v1, labels: {version: v1}}]", created="2020-01-01T00:00:00Z")
        + document("hidden", "subsets: [{name: v3}]\nexportTo: ['.']")
    )
    rule = destination_rule(mesh.db, RuleFor("web", REVIEWS))
    assert rule is not None
    assert [key.name for key in rule.sources] == ["old", "new"]
    assert [(subset.name, dict(subset.labels)) for subset in rule.spec.subsets] == [
        ("v1", {"version": "v1"}),
        ("v2", {}),
    ]
    assert rule.spec.traffic_policy is not None
    assert rule.spec.host == REVIEWS.host


def test_rules_that_select_workloads_are_for_those_alone() -> None:
    """A workloadSelector limits a rule to matching clients of its namespace, who prefer it."""
    mesh = MeshDb(document("some", "workloadSelector: {matchLabels: {app: web}}") + document("all", ""))
    assert chosen(mesh, "shop", app="web", version="v1") == ["some"]
    assert chosen(mesh, "shop", app="db") == ["all"]
    assert chosen(mesh, "else", app="web") == ["all"]
    assert rule_label_keys(mesh.db, "shop") == {"app"}


POLICY = "trafficPolicy: {loadBalancer: {simple: RANDOM}}"


def test_a_changed_rule_touches_only_what_it_governs() -> None:
    """Editing the policy of one host does not look up the rules of others again."""
    hosts = [ServiceRef(f"s{n}.shop.svc.cluster.local", "shop") for n in range(20)]
    mesh = MeshDb("".join(document(f"d{n}", POLICY, host=ref.host) for n, ref in enumerate(hosts)))
    policies = [traffic_policy(mesh.db, PolicyFor("web", ref, 80)) for ref in hosts]
    mesh.db.runs_by_query.clear()
    mesh.apply(document("d3", "trafficPolicy: {outlierDetection: {interval: 9s}}", host=hosts[3].host))
    again = [traffic_policy(mesh.db, PolicyFor("web", ref, 80)) for ref in hosts]
    assert [n for n in range(20) if policies[n] != again[n]] == [3]
    changed = again[3]
    assert changed is not None
    assert changed.outlier_detection is not None
    assert changed.outlier_detection.interval == timedelta(seconds=9)
    assert mesh.db.runs_by_query == {"_header": 1, "merged_rule": 1, "policy_of": 1, "traffic_policy": 1}


def test_a_new_rule_is_cut_off_where_it_governs_nothing() -> None:
    """A rule for one host makes others look again, but nothing above the lookup runs."""
    hosts = [ServiceRef(f"s{n}.shop.svc.cluster.local", "shop") for n in range(20)]
    mesh = MeshDb(document("d0", POLICY, host=hosts[0].host))
    for ref in hosts:
        traffic_policy(mesh.db, PolicyFor("web", ref, 80))
    mesh.db.runs_by_query.clear()
    mesh.apply(document("d1", POLICY, host=hosts[1].host))
    for ref in hosts:
        traffic_policy(mesh.db, PolicyFor("web", ref, 80))
    assert mesh.db.runs_by_query["traffic_policy"] == 1
