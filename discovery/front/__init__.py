"""The secure port: an Envoy of our own in front of the server, because gRPC's Python server cannot do what it must.

Port 15012 asks for a client certificate but does not demand one (VMs bring a certificate, pods a token). ``grpcio``
offers only "none" or "required". So a supervised Envoy ends TLS, verifies a certificate if there is one, says whose it
was, bounds connections and request rates, and forwards over a private Unix socket. TLS costs the server nothing then.
"""

from discovery.front.bootstrap import FrontSettings, front_bootstrap, front_secrets
from discovery.front.service import Front, ServingCertificate

__all__ = ["Front", "FrontSettings", "ServingCertificate", "front_bootstrap", "front_secrets"]
