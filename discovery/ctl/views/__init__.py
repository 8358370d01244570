"""Configuration of a proxy as tables, one module per kind of resource. Pure: a dump in, text or data out."""
