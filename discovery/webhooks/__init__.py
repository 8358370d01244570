"""The webhooks that an API server calls: injection of pods and validation of configuration, on one HTTPS server.

What they decide is pure (``admission``, ``injecting``, ``validating``); ``server`` does the rest.
"""
