"""What is wrong with objects taken together: references that lead nowhere, policies that meet nothing, conflicts. Pure.

``registry.analyze`` runs the analyzers over a ``World``; each is a function from a world to messages.
"""
