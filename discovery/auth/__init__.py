"""Who is calling: tokens, client certificates, and whether a caller may be the node it claims to be."""

from discovery.auth.caller import ANONYMOUS, Caller, CallerKind, Credentials, Listener, authorize_node
from discovery.auth.chain import Authenticator, AuthenticatorChain
from discovery.auth.dev_issuer import DevIssuer
from discovery.auth.errors import AuthError, ForbiddenError, UnauthenticatedError
from discovery.auth.jwks import load_jwks
from discovery.auth.jwt import JwtAuthenticator, JwtRule
from discovery.auth.xfcc import XfccAuthenticator

__all__ = [
    "ANONYMOUS",
    "AuthError",
    "Authenticator",
    "AuthenticatorChain",
    "Caller",
    "CallerKind",
    "Credentials",
    "DevIssuer",
    "ForbiddenError",
    "JwtAuthenticator",
    "JwtRule",
    "Listener",
    "UnauthenticatedError",
    "XfccAuthenticator",
    "authorize_node",
    "load_jwks",
]
