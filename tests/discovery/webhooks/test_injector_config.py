"""The injector's configuration as it is now."""

from __future__ import annotations

from discovery.webhooks.injector_config import LiveInjectorConfig

GOOD = "policy: enabled\ntemplates: {sidecar: 'metadata: {}'}"


def test_the_last_good_one_stays() -> None:
    """A bad one is reported and counted once, however often it is seen."""
    rejected: list[int] = []
    live = LiveInjectorConfig(lambda: rejected.append(1))
    assert "none was read yet" in str(live.findings[0])
    live.update(GOOD, "{}", "files")
    good = live.current
    assert good is not None
    assert not list(live.findings)
    for _ in range(2):
        live.update("templates: {sidecar: '{{ if }}'}", "{}", "files")
    assert live.current is good
    (finding,) = live.findings
    assert "template 'sidecar', line 1" in str(finding)
    assert "the last good one stays" in str(finding)
    assert rejected == [1]
    live.update(GOOD, "global: {hub: x}", "files")
    assert live.findings == ()
    assert live.current is not good


def test_values_are_looked_at_too() -> None:
    """Both keys or none."""
    live = LiveInjectorConfig()
    live.update(GOOD, "[]", "files")
    assert live.current is None
    assert "no pod can be injected" in str(live.findings[0])


def test_a_configuration_that_goes_away_stays_in_force() -> None:
    """Somebody deleted the ConfigMap; pods still need their proxies."""
    live = LiveInjectorConfig()
    live.update(GOOD, "{}", "files")
    live.gone("ConfigMap a/b")
    assert live.current is not None
    assert "ConfigMap a/b" in str(live.findings[0])
