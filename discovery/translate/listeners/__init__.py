"""Listeners (LDS): selection decides what each one is, as a value; rendering turns that value into bytes.

``index`` has the two queries that the generators use. ``spec`` is the value between selection (``outbound``,
``conflicts``, ``layer4``, ``inbound``) and rendering (``render``): all that a listener's bytes depend on, so proxies
that come to equal specs share one rendered resource.
"""
