"""From tokens to the tree."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.gotemplate import nodes
from discovery.inject.gotemplate.errors import ParseError
from discovery.inject.gotemplate.parser import parse

FUNCTIONS = {"f", "eq"}


def test_the_tree_of_a_small_template() -> None:
    """Texts, pipes and chains are where they stand."""
    (block,) = parse("t", "a{{ if eq .A.B 1 }}b{{ else }}{{ $.C | f }}{{ end }}", FUNCTIONS).values()
    text, decision = block
    assert text == nodes.Text("a")
    assert isinstance(decision, nodes.If)
    (command,) = decision.pipe.commands
    assert command.operands == (nodes.Function("eq"), nodes.Chain(nodes.Dot(), ("A", "B")), nodes.Constant(1))
    assert decision.then == (nodes.Text("b"),)
    (shown,) = decision.otherwise
    assert isinstance(shown, nodes.Action)
    assert [c.operands for c in shown.pipe.commands] == [
        (nodes.Chain(nodes.Variable("$"), ("C",)),),
        (nodes.Function("f"),),
    ]


def test_defined_templates_are_given_by_name() -> None:
    """Also those within; a block is defined and called."""
    found = parse("t", '{{ define "a" }}x{{ end }}{{ block "b" . }}y{{ end }}{{ template "a" }}', FUNCTIONS)
    assert found["a"] == (nodes.Text("x"),)
    assert found["b"] == (nodes.Text("y"),)
    assert [type(node) for node in found["t"]] == [nodes.TemplateCall, nodes.TemplateCall]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("0x10", 16),
        ("010", 8),
        ("-7", -7),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'a'", 97),
        ("'\\n'", 10),
        (r'"a\tb\u00e9\x41"', "a\tbéA"),
        ("`a\\t`", "a\\t"),
        ("true", True),
        ("nil", None),
    ],
)
def test_constants(source: str, value: object) -> None:
    """Numbers, characters and texts in Go's spellings."""
    (block,) = parse("t", f"{{{{ f {source} }}}}", FUNCTIONS).values()
    assert isinstance(block[0], nodes.Action)
    constant = block[0].pipe.commands[0].operands[1]
    assert constant == nodes.Constant(value)
    assert isinstance(constant, nodes.Constant)
    assert type(constant.value) is type(value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ if 1 }}", "{{if}} has no {{end}}"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", "second {{else}}"),
        ("{{ g }}", "function 'g' is not defined"),
        ("{{ $x }}", "variable $x is not declared"),
        ("{{ $x = 1 }}", "variable $x is not declared"),
        ("{{ if $x := 1 }}{{ end }}{{ $x }}", "variable $x is not declared"),
        ("{{ break }}", "outside of {{range}}"),
        ('{{ range 1 }}{{ define "a" }}{{ end }}{{ end }}', "stands within another action"),
        ('{{ template "b" }}', "template 'b' is not defined; there is t"),
        ("{{ 1 2 }}", "cannot be given arguments"),
        ("{{ f | 2 }}", "needs a function"),
        ("{{ (f }}", "want )"),
        ("{{ }}", "want a value"),
        ("{{ 1.A }}", "want a space"),
        ("{{ f .A(1) }}", "want a space"),
        (r'{{ "\q" }}', "wrong escape"),
        ("{{ true.A }}", "a constant has no field"),
        ("{{ f " + "(f " * 101 + ")" * 101 + "}}", "more than 100"),
        ("{{ if 1 }}" * 101 + "{{ end }}" * 101, "more than 100"),
        ("{{ if 1 }}" + "{{ else if 1 }}" * 101 + "{{ end }}", "more than 100"),
    ],
)
def test_what_is_no_template_is_refused(source: str, problem: str) -> None:
    """Told with what is wrong, whatever it is."""
    with pytest.raises(ParseError) as refused:
        parse("t", source, FUNCTIONS)
    assert problem in str(refused.value)


@given(st.text(alphabet='{}-.$|()=:," \nabeifndr01`', max_size=80))
def test_nonsense_is_refused_cleanly(source: str) -> None:
    """Any text is a template or an error of ours, never another one."""
    with suppress(ParseError):
        assert "t" in parse("t", source, FUNCTIONS)
