"""The public endpoints: for programs over HTTP, and for language models as tools (MCP)."""

from resnet.ui.api.endpoints import NAMES, add_endpoints

__all__ = ["NAMES", "add_endpoints"]
