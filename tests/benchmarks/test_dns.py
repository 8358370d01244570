from benchmarks.dns import STORM, measure_dns


def test_rows_of_a_short_run() -> None:
    """Nothing is lost at a gentle rate; names of the mesh never reach the resolver, others no more than once again."""
    rows = {row.name: row.value for row in measure_dns(rate=500, seconds=0.2)}
    assert rows["dns_mesh_names_lost"] == 0
    for name in STORM:
        without, first, again = (rows[f"{name}_{how}"] for how in ("without_agent", "with_agent", "with_agent_again"))
        assert again <= first <= without
        assert (first == 0) == (not name.startswith("external"))
