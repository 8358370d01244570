"""N sidecars in one cheap process: real ADS streams, delta or state-of-the-world, that subscribe as Envoy does.

Whatever speaks ADS can be at the other end. What a stream receives is parsed once for all streams that receive the same
bytes, so that a thousand streams fit beside the server on two cores.
"""
