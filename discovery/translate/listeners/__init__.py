"""Listeners (LDS): selection decides what each one is, as a value; rendering turns that value into bytes.

``index`` has the two queries that the generators use. ``spec`` is the value between selection (``outbound``,
``conflicts``, ``layer4``, ``inbound``) and rendering (``render``): all that a listener's bytes depend on, so proxies
that come to equal specs share one rendered resource.
"""

from discovery.translate.listeners.index import (
    inbound_conflicts,
    inbound_listener_index,
    outbound_conflicts,
    outbound_listener_index,
)

__all__ = ["inbound_conflicts", "inbound_listener_index", "outbound_conflicts", "outbound_listener_index"]
