"""Applications for pods of the tests; each knows only what a container gives it."""
