"""HDF5, in a child process: what a master says, and which of its frames are on disk now, and where.

`SwmrObserver` watches, `inspect_master` looks once. Neither loads libhdf5 into the process that uses it.
"""

from filewatcher.edges.swmr.effort import Budget, Effort
from filewatcher.edges.swmr.inspection import InspectedFile, InspectedPositions, Inspection, inspect_master
from filewatcher.edges.swmr.observer import SwmrObserver

__all__ = ["Budget", "Effort", "InspectedFile", "InspectedPositions", "Inspection", "SwmrObserver", "inspect_master"]
