from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import DESCRIPTOR as STRUCT
from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.istio_ca import CertificateRequest, decode_request, decode_response, encode_request, encode_response

_TEXT = st.text(max_size=40)
_REQUESTS = st.builds(
    CertificateRequest,
    csr=_TEXT,
    validity_s=st.integers(-(2**63), 2**63 - 1),
    metadata=st.dictionaries(_TEXT, _TEXT, max_size=3),
)


def _reference(name: str) -> type[Message]:
    """The messages as the protobuf runtime builds them from their description: an independent implementation."""
    kind, label = FieldDescriptorProto, FieldDescriptorProto
    file = FileDescriptorProto(name="ca.proto", syntax="proto3", dependency=[STRUCT.name])
    request = DescriptorProto(name="Request")
    request.field.add(name="csr", number=1, type=kind.TYPE_STRING, label=label.LABEL_OPTIONAL)
    request.field.add(name="validity_duration", number=3, type=kind.TYPE_INT64, label=label.LABEL_OPTIONAL)
    request.field.add(
        name="metadata",
        number=4,
        type=kind.TYPE_MESSAGE,
        type_name=".google.protobuf.Struct",
        label=label.LABEL_OPTIONAL,
    )
    response = DescriptorProto(name="Response")
    response.field.add(name="cert_chain", number=1, type=kind.TYPE_STRING, label=label.LABEL_REPEATED)
    file.message_type.extend([request, response])
    pool = DescriptorPool()
    pool.AddSerializedFile(STRUCT.serialized_pb)
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))


_REQUEST, _RESPONSE = _reference("Request"), _reference("Response")


@given(_REQUESTS)
def test_requests_agree_with_the_protobuf_runtime(request: CertificateRequest) -> None:
    """What we write it reads, and what it writes we read."""
    message = _REQUEST.FromString(encode_request(request))
    assert message.csr == request.csr  # type: ignore[attr-defined]  # built at run time
    assert message.validity_duration == request.validity_s  # type: ignore[attr-defined]
    assert dict(message.metadata) == dict(request.metadata)  # type: ignore[attr-defined]
    assert decode_request(message.SerializeToString()) == request


@given(st.lists(_TEXT, max_size=4))
def test_responses_agree_with_the_protobuf_runtime(chain: list[str]) -> None:
    """Elements keep their order and number, empty ones too."""
    message = _RESPONSE.FromString(encode_response(chain))
    assert [*message.cert_chain] == chain  # type: ignore[attr-defined]  # built at run time
    assert decode_response(message.SerializeToString()) == tuple(chain)


def test_other_kinds_of_metadata_are_skipped() -> None:
    """Numbers and lists in the struct mean nothing to us and break nothing."""
    message = _REQUEST()
    message.metadata.update({"a": 1.5, "CertSigner": "s", "b": [True, None]})  # type: ignore[attr-defined]
    assert decode_request(message.SerializeToString()).metadata == {"CertSigner": "s"}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_an_error(data: bytes) -> None:
    """Nothing a peer sends raises anything but ValueError."""
    try:
        decode_request(data)
        decode_response(data)
    except ValueError:
        return


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x22\x04\x0a\x02\x08\x01", b"\x0a\x01\xff"])
def test_broken_requests_are_errors(data: bytes) -> None:
    """Truncated, a number where a key belongs, not UTF-8."""
    with pytest.raises(ValueError, match=r"protobuf|utf-8"):
        decode_request(data)
