"""The bookinfo mesh on one machine, every part real: ``python -m examples.demo``.

``layout`` and ``claims`` are pure; ``place`` finds addresses, ``fleet`` keeps the processes, ``mesh`` starts them,
``traffic`` sends requests, ``story`` is the order in which things are shown, ``report`` how they look.
"""
