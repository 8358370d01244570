import pytest

from benchmarks.templates import TemplateError, expand


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a\n{{- range $i := until .Services }}\nb-{{$i}}\n{{- end }}\nc", "a\nb-0\nb-1\nc"),
        ("{{ range $i := until .Services }}{{div $i 2}}.{{mod $i 2}} {{end}}", "0.0 0.1 "),
        ("{{ range $j := until .Instances }}{{mod $j $.Services}}{{end}}", "010"),
        ("x{{ range $i := until .None }}{{$i}}{{end}}y", "xy"),
        (
            "{{ range $i := until .Services }}{{ range $j := until .Services }}{{$i}}{{$j}} {{end}}{{end}}",
            "00 01 10 11 ",
        ),
    ],
)
def test_loops_and_arithmetic(template: str, text: str) -> None:
    """Loops repeat, a dash eats the white space before it, loops of no rounds vanish."""
    assert expand(template, {"Services": 2, "Instances": 3, "None": 0}) == text


@pytest.mark.parametrize(
    "template", ["{{ .Values.x }}", "{{ $i }}", "{{ end }}", "{{ range $i := until .More }}{{end}}"]
)
def test_what_is_not_supported_is_an_error(template: str) -> None:
    """Half a mesh would be measured otherwise."""
    with pytest.raises(TemplateError):
        expand(template, {"Services": 2})
