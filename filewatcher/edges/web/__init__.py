"""HTTP and WebSocket for people and programs: the one edge that calls the service, instead of being called."""

from filewatcher.edges.web.app import Doorway, create_app
from filewatcher.edges.web.metrics import Metrics
from filewatcher.edges.web.tokens import Tokens

__all__ = ["Doorway", "Metrics", "Tokens", "create_app"]
