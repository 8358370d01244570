"""``python -m agent.x509``: started by the agent alone, speaks over its standard input and output."""

import sys

from agent.x509.serve import forbid_core_dumps, serve

if __name__ == "__main__":
    forbid_core_dumps()
    serve(sys.stdin.buffer, sys.stdout.buffer)
