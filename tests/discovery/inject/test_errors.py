"""The tree of injection's errors."""

from __future__ import annotations

from discovery.inject.errors import ConfigError, InjectError, PodError


def test_faults_are_told_apart() -> None:
    """The operator's and the pod's fault are handled differently, but both are ours."""
    assert issubclass(ConfigError, InjectError)
    assert issubclass(PodError, InjectError)
    assert not issubclass(PodError, ConfigError)
