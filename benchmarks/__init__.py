"""How fast is it? A load generator, a server started as a user would, and one table beside the budgets.

Nothing here is part of the product, and nothing of the product is imported by the generator save its wire codec: the
server is measured from outside, so another control plane can stand in its place.
"""
