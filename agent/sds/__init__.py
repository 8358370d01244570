"""Keys and certificates for Envoy: served over a Unix socket, issued by the CA or read from files, renewed in time.

``secrets`` owns them; ``names``, ``resources``, ``stream`` and ``issuance`` decide and do no I/O; ``files``, ``watch``,
``ca_client`` and ``server`` do. Import what you need from the modules.
"""
