"""Start filewatcher from a script of GDA: Jython 2.7, nothing but its standard library (Python 3 runs it too).

    import trigger_from_gda as filewatcher
    collection = filewatcher.start(["/data/visit/grid_1.nxs"], columns=30, rows=8, snaked=True)
    ...  # the scan
    filewatcher.end(collection)

It never holds up a scan: after TIMEOUT seconds, or whatever goes wrong, it says so and returns None.
"""

from __future__ import print_function

import json

try:
    from urllib2 import Request, urlopen  # Jython
except ImportError:
    from urllib.request import Request, urlopen  # Python 3

URL = "http://127.0.0.1:8765"
TOKEN = None
TIMEOUT = 2.0


def start(masters, columns=None, rows=None, snaked=None, dcids=(), visit=None, parameters=()):
    """Have a collection analysed; its files need not exist yet. Returns its id."""
    body = {"masters": list(masters), "dcids": list(dcids), "parameters": list(parameters)}
    if visit is not None:
        body["visit"] = visit
    if columns is not None:
        body["grid"] = {"columns": columns, "rows": rows, "snaked": snaked}
    answer = _post("/api/collections", body)
    return None if answer is None else answer["id"]


def end(collection):
    """Say that the detector has stopped."""
    if collection is not None:
        _post("/api/collections/%s/end" % collection, {})


def _post(path, body):
    request = Request(URL + path, json.dumps(body).encode("utf-8"), {"Content-Type": "application/json"})
    if TOKEN is not None:
        request.add_header("Authorization", "Bearer " + TOKEN)
    try:
        return json.loads(urlopen(request, timeout=TIMEOUT).read().decode("utf-8"))
    except Exception as error:
        reason = error.read().decode("utf-8") if hasattr(error, "read") else str(error)
        print("filewatcher was not told: %s" % reason)
        return None
