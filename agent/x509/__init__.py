"""X.509 in a process of its own, which lives only while it is needed.

Keys and certificates are worked on a few times a day; the library that does it costs 14 MB of an agent whose budget is
42. So the agent itself only moves PEM texts: ``client`` asks, ``process`` carries the question over private pipes,
``operations`` (the only module that loads the library) answers in the child. Import what you need from the modules.
"""
