"""The name table as generated code would have it: a second codec, independent of those of agent and control plane."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass

__all__ = ["read_name_table", "write_name_table"]


@lru_cache(maxsize=1)
def _name_table() -> Any:
    """The message class of ``istio.networking.nds.v1.NameTable``, with our own field for ports."""
    text, message = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
    single, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    package = "istio.networking.nds.v1"
    info = DescriptorProto(
        name="NameInfo",
        field=[
            FieldDescriptorProto(name="ips", number=1, type=text, label=many),
            FieldDescriptorProto(name="registry", number=2, type=text, label=single),
            FieldDescriptorProto(name="shortname", number=3, type=text, label=single),
            FieldDescriptorProto(name="namespace", number=4, type=text, label=single),
            FieldDescriptorProto(name="alt_hosts", number=5, type=text, label=many),
            FieldDescriptorProto(
                name="ports", number=1500, type=message, label=many, type_name=f".{package}.NameTable.NamedPort"
            ),
        ],
    )
    port = DescriptorProto(
        name="NamedPort",
        field=[
            FieldDescriptorProto(name="name", number=1, type=text, label=single),
            FieldDescriptorProto(name="number", number=2, type=FieldDescriptorProto.TYPE_UINT32, label=single),
            FieldDescriptorProto(name="udp", number=3, type=FieldDescriptorProto.TYPE_BOOL, label=single),
            FieldDescriptorProto(name="targets", number=4, type=text, label=many),
        ],
    )
    entry = DescriptorProto(
        name="TableEntry",
        options=MessageOptions(map_entry=True),
        field=[
            FieldDescriptorProto(name="key", number=1, type=text, label=single),
            FieldDescriptorProto(
                name="value", number=2, type=message, label=single, type_name=f".{package}.NameTable.NameInfo"
            ),
        ],
    )
    table = FieldDescriptorProto(
        name="table", number=1, type=message, label=many, type_name=f".{package}.NameTable.TableEntry"
    )
    file = FileDescriptorProto(
        name="nds.proto",
        package=package,
        syntax="proto3",
        message_type=[DescriptorProto(name="NameTable", field=[table], nested_type=[info, port, entry])],
    )
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.NameTable"))


def read_name_table(value: bytes) -> dict[str, dict[str, Any]]:
    """Host name -> its fields, as protobuf reads them."""
    table: dict[str, dict[str, Any]] = MessageToDict(
        _name_table().FromString(value), preserving_proto_field_name=True
    ).get("table", {})
    return table


def write_name_table(table: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A name table as protobuf writes it."""
    data: bytes = ParseDict(
        {"table": {host: dict(info) for host, info in table.items()}}, _name_table()()
    ).SerializeToString()
    return data
