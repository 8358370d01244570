"""From what the agent was told to Envoy's bootstrap: pure functions, JSON documents as plain dictionaries.

Plain dictionaries and no generated classes, for the agent runs beside every workload and these would double its memory.
"""

from agent.bootstrap.document import Bootstrap, BootstrapKey, build_bootstrap
from agent.bootstrap.metadata import MetadataError
from agent.bootstrap.node import Node, NodeKey, build_node

__all__ = ["Bootstrap", "BootstrapKey", "MetadataError", "Node", "NodeKey", "build_bootstrap", "build_node"]
