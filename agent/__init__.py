"""The data plane companion: writes Envoy's bootstrap, supervises Envoy, relays its xDS and serves its certificates."""
