"""Who is told over the network while a collection runs: GDA by UDP, anyone by HTTP.

To tell somebody never slows a collection and never fails it: what could not be delivered is counted, and said in the
end.
"""

from filewatcher.edges.notify.gda import GdaLines
from filewatcher.edges.notify.http import HttpLines

__all__ = ["GdaLines", "HttpLines"]
