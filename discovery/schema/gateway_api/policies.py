"""ReferenceGrant and BackendTLSPolicy: who may refer to what, and how a backend is to be trusted.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#referencegrant
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from discovery.schema.gateway_api.references import LocalObjectReference, PolicyTarget
from discovery.schema.message import Message, NonEmpty

__all__ = [
    "BackendTLSPolicy",
    "BackendTLSValidation",
    "ReferenceGrant",
    "ReferenceGrantFrom",
    "ReferenceGrantTo",
    "SubjectAltName",
]


class ReferenceGrantFrom(Message, frozen=True, kw_only=True):
    """Objects of a kind in a namespace."""

    required = ("group", "kind", "namespace")

    group: str = ""
    kind: NonEmpty = ""
    namespace: NonEmpty = ""


class ReferenceGrantTo(Message, frozen=True, kw_only=True):
    """Objects of a kind in the grant's namespace; no name: all of them."""

    required = ("group", "kind")

    group: str = ""
    kind: NonEmpty = ""
    name: str = ""


class ReferenceGrant(Message, frozen=True, kw_only=True):
    """Each of ``from_`` may refer to each of ``to``; a reference into another namespace needs one there."""

    required = ("from_", "to")

    from_: tuple[ReferenceGrantFrom, ...] = msgspec.field(name="from", default=())
    to: tuple[ReferenceGrantTo, ...] = ()


class SubjectAltName(Message, frozen=True, kw_only=True):
    """A name in a certificate: ``type`` is Hostname or URI."""

    required = ("type",)

    type: NonEmpty = ""
    hostname: str = ""
    uri: str = ""


class BackendTLSValidation(Message, frozen=True, kw_only=True):
    """Whom to trust: the authorities in ConfigMaps, or the System's.

    ``hostname`` is asked for (SNI), and is in the certificate unless ``subject_alt_names`` say what is.
    """

    required = ("hostname",)

    ca_certificate_refs: tuple[LocalObjectReference, ...] = ()
    well_known_ca_certificates: str = msgspec.field(name="wellKnownCACertificates", default="")
    hostname: NonEmpty = ""
    subject_alt_names: tuple[SubjectAltName, ...] = ()


class BackendTLSPolicy(Message, frozen=True, kw_only=True):
    """TLS to the targets, Services of the policy's namespace."""

    required = ("target_refs", "validation")

    target_refs: Annotated[tuple[PolicyTarget, ...], msgspec.Meta(min_length=1)] = ()
    validation: BackendTLSValidation = BackendTLSValidation()
    options: Mapping[str, str] = {}
