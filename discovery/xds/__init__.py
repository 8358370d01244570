"""The xDS server: stream cores without I/O (``session`` and below), and the shells that serve them over gRPC.

Read in this order: ``table`` (what is served, and how it came to be), ``watch`` (what is remembered of a client),
``answer`` (what to tell it now), ``flow`` and ``plan`` (in which order), ``session`` (requests), ``connection`` and
``server`` (gRPC), ``pusher`` (from commits to pushes).
"""
