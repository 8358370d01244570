"""Reads rendered bytes back; the control plane's debug endpoints read them the same way."""

from __future__ import annotations

from discovery.wire.reflection import decode, load_type, to_dict, unpack

__all__ = ["decode", "load_type", "to_dict", "unpack"]
