"""The relay between Envoy and the control plane: xDS passes as bytes; only types meant for the agent are opened.

``relay`` and its neighbours ``messages``, ``outbox``, ``ends`` and ``gate`` decide and do no I/O; ``upstream`` and
``server`` do. Import what you need from the modules: the package itself stays free of gRPC.
"""
