"""Filters of listeners: what looks at connections and requests before they are proxied, in the mesh's order.

One module per family. A new policy adds its filter in its own module and its place in the order in ``http`` or
``network``; nothing else has to know.
"""
