"""Replicas of a control plane that ask each other how far configuration has got.

Each serves its own proxies, and one of them, the leader, writes conditions about all. So the leader keeps a stream to
every other replica, on which it names objects and is told once the other's proxies have acknowledged or rejected them.
"""
