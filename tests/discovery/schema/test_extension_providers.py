from __future__ import annotations

from discovery.schema.extension_providers import ExtensionProvider
from discovery.schema.proto_json import read


def test_a_provider_is_of_one_kind() -> None:
    """Two kinds under one name are an error."""
    _, problems = read(
        ExtensionProvider, {"name": "x", "prometheus": {}, "envoyFileAccessLog": {"path": "/dev/stdout"}}
    )
    assert [problem.text.startswith("at most one of") for problem in problems] == [True]


def test_log_formats_are_text_or_labels() -> None:
    """Labels may hold anything that JSON holds."""
    document = {"name": "x", "envoyFileAccessLog": {"path": "p", "logFormat": {"labels": {"a": "%X%", "b": {"c": 1}}}}}
    provider, problems = read(ExtensionProvider, document)
    assert problems == ()
    assert provider is not None
    assert provider.envoy_file_access_log is not None
    assert provider.envoy_file_access_log.log_format is not None
    assert provider.envoy_file_access_log.log_format.labels == {"a": "%X%", "b": {"c": 1}}
