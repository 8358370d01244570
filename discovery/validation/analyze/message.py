"""Messages of analyzers: the field's codes, names and levels, with texts of our own."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

from discovery.schema.meta import Origin

__all__ = ["Code", "Level", "Message"]


class Level(IntEnum):
    """How bad it is; a higher one is worse."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.capitalize()


class Code(StrEnum):
    """What is wrong. The value is what people search for, suppress, and count."""

    level: Level

    def __new__(cls, value: str, level: Level) -> Code:
        """The member of that value, with its level beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.level = level
        return member

    DEPRECATED = "IST0002", Level.WARNING
    REFERENCED_RESOURCE_NOT_FOUND = "IST0101", Level.ERROR
    NAMESPACE_NOT_INJECTED = "IST0102", Level.INFO
    POD_MISSING_PROXY = "IST0103", Level.WARNING
    SCHEMA_VALIDATION_ERROR = "IST0106", Level.ERROR
    MISPLACED_ANNOTATION = "IST0107", Level.WARNING
    UNKNOWN_ANNOTATION = "IST0108", Level.WARNING
    CONFLICTING_MESH_GATEWAY_VIRTUAL_SERVICE_HOSTS = "IST0109", Level.ERROR
    CONFLICTING_SIDECAR_WORKLOAD_SELECTORS = "IST0110", Level.ERROR
    MULTIPLE_SIDECARS_WITHOUT_WORKLOAD_SELECTORS = "IST0111", Level.ERROR
    VIRTUAL_SERVICE_DESTINATION_PORT_SELECTOR_REQUIRED = "IST0112", Level.ERROR
    DEPLOYMENT_ASSOCIATED_TO_MULTIPLE_SERVICES = "IST0116", Level.WARNING
    PORT_NAME_IS_NOT_UNDER_NAMING_CONVENTION = "IST0118", Level.INFO
    NAMESPACE_MULTIPLE_INJECTION_LABELS = "IST0123", Level.WARNING
    INVALID_ANNOTATION = "IST0125", Level.WARNING
    UNKNOWN_MESH_NETWORKS_SERVICE_REGISTRY = "IST0126", Level.ERROR
    NO_MATCHING_WORKLOADS_FOUND = "IST0127", Level.WARNING
    NO_SERVER_CERTIFICATE_VERIFICATION_DESTINATION_LEVEL = "IST0128", Level.WARNING
    NO_SERVER_CERTIFICATE_VERIFICATION_PORT_LEVEL = "IST0129", Level.WARNING
    VIRTUAL_SERVICE_UNREACHABLE_RULE = "IST0130", Level.WARNING
    VIRTUAL_SERVICE_INEFFECTIVE_MATCH = "IST0131", Level.INFO
    VIRTUAL_SERVICE_HOST_NOT_FOUND_IN_GATEWAY = "IST0132", Level.WARNING
    SCHEMA_WARNING = "IST0133", Level.WARNING
    SERVICE_ENTRY_ADDRESSES_REQUIRED = "IST0134", Level.WARNING
    DEPRECATED_ANNOTATION = "IST0135", Level.INFO
    DEPLOYMENT_CONFLICTING_PORTS = "IST0137", Level.WARNING
    GATEWAY_DUPLICATE_CERTIFICATE = "IST0138", Level.WARNING
    INVALID_WEBHOOK = "IST0139", Level.ERROR
    INVALID_APPLICATION_UID = "IST0144", Level.WARNING
    CONFLICTING_GATEWAYS = "IST0145", Level.ERROR
    IMAGE_AUTO_WITHOUT_INJECTION_WARNING = "IST0146", Level.WARNING
    IMAGE_AUTO_WITHOUT_INJECTION_ERROR = "IST0147", Level.ERROR
    NAMESPACE_INJECTION_ENABLED_BY_DEFAULT = "IST0148", Level.INFO
    JWT_CLAIM_BASED_ROUTING_WITHOUT_REQUEST_AUTHN = "IST0149", Level.ERROR
    EXTERNAL_NAME_SERVICE_TYPE_INVALID_PORT_NAME = "IST0150", Level.WARNING
    ENVOY_FILTER_USES_RELATIVE_OPERATION = "IST0151", Level.WARNING
    ENVOY_FILTER_USES_REPLACE_OPERATION_INCORRECTLY = "IST0152", Level.ERROR
    ENVOY_FILTER_USES_ADD_OPERATION_INCORRECTLY = "IST0153", Level.ERROR
    ENVOY_FILTER_USES_REMOVE_OPERATION_INCORRECTLY = "IST0154", Level.ERROR
    ENVOY_FILTER_USES_RELATIVE_OPERATION_WITH_PROXY_VERSION = "IST0155", Level.WARNING
    INVALID_TELEMETRY_PROVIDER = "IST0157", Level.WARNING
    PODS_ISTIO_PROXY_IMAGE_MISMATCH_IN_NAMESPACE = "IST0158", Level.WARNING
    CONFLICTING_TELEMETRY_WORKLOAD_SELECTORS = "IST0159", Level.ERROR
    MULTIPLE_TELEMETRIES_WITHOUT_WORKLOAD_SELECTORS = "IST0160", Level.ERROR
    INVALID_GATEWAY_CREDENTIAL = "IST0161", Level.ERROR
    GATEWAY_PORT_NOT_DEFINED_ON_SERVICE = "IST0162", Level.WARNING
    INVALID_EXTERNAL_CONTROL_PLANE_CONFIG = "IST0163", Level.WARNING
    EXTERNAL_CONTROL_PLANE_ADDRESS_IS_NOT_A_HOSTNAME = "IST0164", Level.INFO
    REFERENCED_INTERNAL_GATEWAY = "IST0165", Level.WARNING
    INEFFECTIVE_SELECTOR = "IST0166", Level.WARNING
    MULTI_CLUSTER_INCONSISTENT_SERVICE = "IST0170", Level.WARNING
    NEGATIVE_CONDITION_STATUS = "IST0171", Level.WARNING
    DESTINATION_RULE_SUBSET_NOT_SELECT_PODS = "IST0173", Level.ERROR
    UNKNOWN_DESTINATION_RULE_HOST = "IST0174", Level.WARNING
    JWKS_URI_FETCH_UNRESTRICTED = "IST0175", Level.WARNING
    CONFLICTING_SERVICE_ENTRY_PROTOCOL = "IST0177", Level.WARNING


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an analyzer found; ``str()`` is a line for people."""

    code: Code
    resource: str  # "VirtualService shop/reviews"
    text: str
    hint: str = ""
    level: Level | None = None  # where it is not the code's
    origin: Origin = Origin()

    @property
    def severity(self) -> Level:
        """How bad it is."""
        return self.code.level if self.level is None else self.level

    def __str__(self) -> str:
        about = " ".join(part for part in (self.resource, str(self.origin)) if part)
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.severity} [{self.code}] ({about}) {self.text}{hint}"
