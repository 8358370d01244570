"""Templates applied to values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.gotemplate import ExecutionError, Record, Root, StringMap, Template
from discovery.inject.gotemplate.sprig import SPRIG

DATA = {
    "List": [1, 2, 3],
    "Map": {"b": 2, "a": 1},
    "Values": {"on": True, "null": None, "text": "x"},
    "Meta": Record({"labels": {"app": "web"}, "name": "n"}),
    "Strings": StringMap({"a": "b"}),
}


def applied(source: str, data: Any = None) -> str:
    """The text of a template."""
    return Template.parse("t", source, SPRIG).execute(Root(DATA) if data is None else data, SPRIG)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ .Meta.Name }} {{ .Meta.Labels.app }} {{ .Meta.Spec.Nothing }}.", "n web ."),
        ("{{ range .List }}{{ . }},{{ end }}", "1,2,3,"),
        ("{{ range $i, $v := .List }}{{ $i }}{{ $v }} {{ end }}", "01 12 23 "),
        ("{{ range $k, $v := .Map }}{{ $k }}{{ $v }}{{ end }}", "a1b2"),
        ("{{ range $v := .Map }}{{ $v }}{{ end }}", "12"),
        ("{{ range .Values.no }}x{{ else }}none{{ end }}", "none"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ range .List }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"),
        ("{{ range .List }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ with .Meta }}{{ .Name }}{{ end }}{{ with .Values.null }}x{{ else }}y{{ end }}", "ny"),
        ("{{ with .Values.null }}x{{ else with .Meta }}{{ .Name }}{{ end }}", "n"),
        ("{{ if .Values.on }}1{{ else if fail `never` }}2{{ end }}", "1"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ $m := .Map }}{{ range $k, $_ := $m }}{{ index $m $k }}{{ end }}", "12"),
        ("{{ and 1 0 (fail `x`) }}{{ or 0 2 (fail `x`) }}{{ 1 | or 0 }}{{ and true 5 }}", "0215"),
        ("{{ `a` | printf `%s%s` `b` | len }}", "2"),
        ("{{ (index .List 0) }}{{ (.Meta).Name }}{{ ($).Meta.Name }}", "1nn"),
        ('{{ define "x" }}<{{ .Name }}{{ $.Name }}>{{ end }}{{ template "x" .Meta }}', "<nn>"),
        ('{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" }}', "[<no value>]"),
        ('{{ block "b" .Meta }}{{ .Name }}{{ end }}', "n"),
        ("{{ .Values.missing }} {{ .Values.null }} {{ .Values.missing.deep }}", "<no value> <nil> <no value>"),
        ("{{ index .Strings `zzz` }}|{{ index .Meta.Labels `zzz` | default `d` }}", "|d"),
        ("{{ range $k, $v := .Meta.Labels }}{{ $k }}={{ $v }}{{ end }}", "app=web"),
        ("{{- /* c */ -}} {{ 3 -}} a", "3a"),
    ],
)
def test_actions(source: str, expected: str) -> None:
    """Each action does what Go's does."""
    assert applied(source) == expected


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("\n{{ .Nope }}", "line 2: there is no .Nope; there are List"),
        ("{{ .List.x }}", "a list has no field .x"),
        ("{{ fail `broken` }}", "fail: broken"),
        ("{{ trunc `a` }}", "trunc: wrong arguments"),
        ("{{ div 1 0 }}", "div: division by zero"),
        ("{{ .Meta.Name 1 }}", "is no function"),
        ("{{ range true }}{{ end }}", "cannot range over a boolean"),
        ("{{ index .List 9 }}", "place 9 is outside"),
        ('{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}', "call each other more than 50 deep"),
        ("{{ range until 9999 }}{{ range until 9999 }}x{{ end }}{{ end }}", "took more than"),
        ("{{ range until 99999 }}{{ repeat 100000 `x` }}{{ end }}", "made more than"),
    ],
)
def test_what_cannot_be_applied_says_why(source: str, problem: str) -> None:
    """With the line and the function; endless work ends."""
    with pytest.raises(ExecutionError) as failed:
        applied(source)
    assert problem in str(failed.value)


def test_deep_nesting_is_an_error_of_ours() -> None:
    """Calls within blocks within calls: Python's stack does not decide."""
    inner = "{{ if true }}" * 90 + '{{ template "x" }}' + "{{ end }}" * 90
    with pytest.raises(ExecutionError, match="deep"):
        applied('{{ define "x" }}' + inner + '{{ end }}{{ template "x" }}')


def test_the_data_stays_as_it_was() -> None:
    """Functions that change maps change copies: the configuration is shared by all pods."""
    values: dict[str, Any] = {"a": {"b": 1}}
    applied("{{ $x := set .Values.a `b` 2 }}{{ $y := merge .Values (dict `c` 3) }}{{ $x.b }}", Root({"Values": values}))
    assert values == {"a": {"b": 1}}


@given(st.lists(st.text(max_size=5), max_size=6))
def test_quoted_texts_come_back_from_yaml(items: list[str]) -> None:
    """Whatever users write into annotations does not break out of its place."""
    from discovery.schema.yaml_text import parse_yaml

    text = applied("{{ range . }}- {{ . | quote }}\n{{ end }}", items)
    assert (parse_yaml(text) or []) == items
