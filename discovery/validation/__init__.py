"""What is wrong with objects that could be read: the rules of each kind beyond names and types of fields. Pure.

``objects.validate`` judges one object by itself.
"""
