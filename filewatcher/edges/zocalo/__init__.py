"""zocalo: collections asked for by messages on RabbitMQ, and recipes answered as production's services answer them."""

from filewatcher.edges.zocalo.broker import Broker
from filewatcher.edges.zocalo.checking import Found, examine
from filewatcher.edges.zocalo.follower import ANALYSIS, Zocalo
from filewatcher.edges.zocalo.telling import Reader

__all__ = ["ANALYSIS", "Broker", "Found", "Reader", "Zocalo", "examine"]
