"""The X.509 work itself, as functions of a question. Only the child process loads this module and its library."""

from __future__ import annotations

from typing import assert_never

from agent.x509.messages import (
    AcceptedChain,
    Answer,
    CheckChain,
    CheckedPair,
    CheckedRoots,
    CheckPair,
    CheckRoots,
    KeyWithRequest,
    MakeKey,
    Question,
    Refused,
    decode_question,
    encode,
)
from certs import pem
from certs.bundle import TrustBundle, load_bundle
from certs.csr import build_csr
from certs.errors import CertsError, VerifyError
from certs.keys import KeyFormat, KeyKind, dump_key, generate_key, load_key, require_match
from certs.spiffe import parse_spiffe
from certs.tls import load_key_pair

__all__ = ["answer"]

_CA_ANSWER = "answer of the CA"


def answer(question: bytes) -> bytes:
    """The encoded answer to an encoded question.

    Raises:
        msgspec.DecodeError: it is none.
    """
    try:
        return encode(_answer(decode_question(question)))
    except CertsError as error:
        return encode(Refused(where=error.where, what=error.what, hint=error.hint))


def _answer(question: Question) -> Answer:
    match question:
        case MakeKey():
            return _make_key(question)
        case CheckChain():
            return _check_chain(question)
        case CheckPair():
            pair = load_key_pair(question.chain, question.key, where=question.where)
            return CheckedPair(expiry=pair.leaf.not_valid_after_utc)
        case CheckRoots():
            return _check_roots(question)
        case _:
            assert_never(question)


def _make_key(question: MakeKey) -> KeyWithRequest:
    key = generate_key(KeyKind(question.kind), rsa_bits=question.rsa_bits)
    csr = build_csr(key, parse_spiffe(question.identity))
    return KeyWithRequest(key=dump_key(key, key_format=KeyFormat(question.key_format)), csr=csr)


def _check_chain(question: CheckChain) -> AcceptedChain:
    if len(question.chain) < 2:
        found = len(question.chain)
        raise VerifyError(_CA_ANSWER, f"invalid empty CertChain: {found} elements, want at least leaf and root")
    parts = [part.encode() for part in question.chain]
    leaf = pem.load_certificates(parts[0], where=f"{_CA_ANSWER}, leaf")[0]
    require_match(load_key(question.key, where="our key"), leaf, where=_CA_ANSWER)
    if leaf.not_valid_after_utc <= question.now:
        raise VerifyError(
            _CA_ANSWER,
            f"the certificate expired at {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
            hint="compare the clocks of this machine and of the CA",
        )
    return AcceptedChain(chain=pem.join(parts), root=pem.join(parts[-1:]), expiry=leaf.not_valid_after_utc)


def _check_roots(question: CheckRoots) -> CheckedRoots:
    bundle, findings = load_bundle(pem.join(question.bundles), where=question.where)
    if question.ordered:
        bundle = TrustBundle(tuple(sorted(bundle.roots, key=pem.dump_certificate)))
    return CheckedRoots(pem=bundle.to_pem(), findings=findings)
