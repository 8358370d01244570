"""Name constraints of a CA: which names the certificates below it may bear.

A CA bought for one trust domain must not be able to mint names of another. Constraints on kinds of names that cannot be
judged here are refused where a certificate bears such a name, never ignored.

Spec: RFC 5280, 4.2.1.10
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from cryptography import x509

from certs.describe import extension

__all__ = ["broken_constraint"]


def broken_constraint(certificate: x509.Certificate, constraints: x509.NameConstraints) -> str:
    """Why the certificate's names offend against the constraints of a CA above it; empty when they do not."""
    names = extension(certificate, x509.SubjectAlternativeName)
    for name in names or ():
        for excluded in constraints.excluded_subtrees or ():
            if type(excluded) is type(name) and _inside(name, excluded) is not False:
                return f"the name {name.value} is excluded by a CA above it"
        permitted = [tree for tree in constraints.permitted_subtrees or () if type(tree) is type(name)]
        if permitted and not any(_inside(name, tree) for tree in permitted):
            return f"the name {name.value} is outside of what a CA above it permits"
    return ""


def _inside(name: x509.GeneralName, tree: x509.GeneralName) -> bool | None:
    """Whether a name lies in the subtree; None where this kind of name cannot be judged."""
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _host_inside(name.value, tree.value, with_subdomains=True)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _host_inside(urlsplit(name.value).hostname or "", tree.value, with_subdomains=False)
        case x509.IPAddress(), x509.IPAddress():
            return _address_inside(name, tree)
        case _:
            return None


def _host_inside(host: str, tree: str, *, with_subdomains: bool) -> bool:
    """DNS constraints cover the host and all below it; URI constraints the host, or with a leading dot all below it."""
    host, tree = host.lower().rstrip("."), tree.lower()
    if not tree:
        return True
    if tree.startswith("."):
        return host.endswith(tree)
    return host == tree or (with_subdomains and host.endswith("." + tree))


def _address_inside(name: x509.IPAddress, tree: x509.IPAddress) -> bool:
    network = tree.value
    if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return False
    return isinstance(name.value, ipaddress.IPv4Address | ipaddress.IPv6Address) and name.value in network
