import json

from benchmarks.answers import application, told
from discovery.runtime.http_client import TcpTarget, fetch


async def test_the_application_answers_what_the_agent_is_told() -> None:
    """Probe and metrics are there, at the port that the environment names."""
    async with application() as port:
        environment = told(port)
        (probe,) = json.loads(environment["ISTIO_KUBE_APP_PROBERS"]).values()
        scraped = json.loads(environment["ISTIO_PROMETHEUS_ANNOTATIONS"])
        assert (probe["httpGet"]["port"], scraped["port"]) == (port, str(port))
        for path, start in ((probe["httpGet"]["path"], b"ok"), (scraped["path"], b"http_requests_total")):
            response = await fetch(TcpTarget("127.0.0.1", port), path, timeout_s=5)
            assert response.body.startswith(start)
