"""ISPyB, the beamline's database: where a collection is, and where its results go. The extra ``[ispyb]``."""

from importlib.util import find_spec

from filewatcher.edges.ispyb.clerk import serve as serve_clerk
from filewatcher.edges.ispyb.database import Credentials, Database, read_credentials
from filewatcher.edges.ispyb.delivery import Brief
from filewatcher.edges.ispyb.lookup import look
from filewatcher.edges.ispyb.office import IspybOffice
from filewatcher.edges.ispyb.resolver import IspybResolver
from filewatcher.edges.ispyb.rights import Lacking, lacking
from filewatcher.edges.ispyb.rows import Ending, FileType, ScanEnding, flat_centring, solid_centring
from filewatcher.errors import Refused

__all__ = [
    "Brief",
    "Credentials",
    "Database",
    "Ending",
    "FileType",
    "IspybOffice",
    "IspybResolver",
    "Lacking",
    "ScanEnding",
    "flat_centring",
    "lacking",
    "look",
    "needs_extra",
    "read_credentials",
    "serve_clerk",
    "solid_centring",
]


def needs_extra() -> None:
    """Raise `Refused` where the extra is not installed."""
    if find_spec("ispyb") is None or find_spec("sqlalchemy") is None:
        raise Refused("ISPyB needs packages that are not installed: pip install 'filewatcher[ispyb]'")
