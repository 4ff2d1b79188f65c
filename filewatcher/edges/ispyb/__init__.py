"""ISPyB, the beamline's database: where a collection is, and where its results go. The extra ``[ispyb]``."""

from importlib.util import find_spec

from filewatcher.edges.ispyb.database import Credentials, Database, read_credentials
from filewatcher.edges.ispyb.lookup import look
from filewatcher.edges.ispyb.resolver import IspybResolver
from filewatcher.errors import Refused

__all__ = ["Credentials", "Database", "IspybResolver", "look", "needs_extra", "read_credentials"]


def needs_extra() -> None:
    """Raise `Refused` where the extra is not installed."""
    if find_spec("ispyb") is None or find_spec("sqlalchemy") is None:
        raise Refused("ISPyB needs packages that are not installed: pip install 'filewatcher[ispyb]'")
