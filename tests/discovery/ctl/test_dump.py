"""Dumps in either spelling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from discovery.ctl.dump import Dump, camel_case, read_dump
from discovery.ctl.errors import CtlError

PREFIX = "type.googleapis.com/envoy.admin.v3."


def test_field_names_become_camel_case_and_data_stays() -> None:
    """Labels, metadata of filters and environment variables are the user's, not fields."""
    given = {"tls_context": {"sni_name": 1}, "filter_metadata": {"my_filter": {"some_key": 1}}, "POD_NAME": 2}
    assert camel_case(given) == {
        "tlsContext": {"sniName": 1},
        "filterMetadata": {"my_filter": {"some_key": 1}},
        "POD_NAME": 2,
    }


def test_resources_in_either_spelling() -> None:
    """What Envoy writes and what a control plane writes read alike; dynamic ones come first."""
    snake = {
        "@type": f"{PREFIX}ClustersConfigDump",
        "static_clusters": [{"cluster": {"@type": "x", "name": "static"}}],
        "dynamic_active_clusters": [{"cluster": {"name": "dynamic"}}],
    }
    for section in (snake, camel_case(snake)):
        assert list(Dump({"configs": [section]}).clusters()) == [{"name": "dynamic"}, {"name": "static"}]


def test_a_section_in_parts_is_one() -> None:
    """Envoy may split a section."""
    part = {"@type": f"{PREFIX}EcdsConfigDump", "ecds_filters": [{"ecds_filter": {"name": "a"}}]}
    assert len(list(Dump({"configs": [part, part]}).extensions())) == 2


def test_secrets_have_a_status_and_listeners_their_active_state() -> None:
    """One without a state in force is not shown."""
    dump = Dump(
        {
            "configs": [
                {
                    "@type": f"{PREFIX}SecretsConfigDump",
                    "dynamic_warming_secrets": [{"name": "w", "secret": {}}],
                    "dynamic_active_secrets": [{"secret": {"name": "a"}}],
                },
                {
                    "@type": f"{PREFIX}ListenersConfigDump",
                    "dynamic_listeners": [{"name": "x"}, {"active_state": {"listener": {"name": "y"}}}],
                },
            ]
        }
    )
    assert list(dump.secrets()) == [("WARMING", {"name": "w"}), ("ACTIVE", {"name": "a"})]
    assert list(dump.listeners()) == [{"name": "y"}]


def test_files_of_json_and_yaml(tmp_path: Path) -> None:
    """By content, not by name."""
    for text in (json.dumps({"configs": []}), "configs: []"):
        path = tmp_path / "dump"
        path.write_text(text, encoding="utf-8")
        assert read_dump(path).bootstrap == {}


@pytest.mark.parametrize(("text", "problem"), [("{", "neither JSON nor YAML"), ("[]", "config_dump"), ("a: [", "YAML")])
def test_other_files_say_what_was_wanted(tmp_path: Path, text: str, problem: str) -> None:
    """With the file's name."""
    path = tmp_path / "dump.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CtlError, match=problem) as wrong:
        read_dump(path)
    assert str(path) in wrong.value.message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(CtlError, match="No such file"):
        read_dump(tmp_path / "nothing")
