"""A detector that is not there: diffraction images in HDF5 files, written as real detectors do, with faults to order.

For commissioning, demonstrations and tests. ::

    sim = Simulation(Path("demo"), detector="eiger2-1m", grid=(12, 10), rate=50)
    write_master(sim)      # before the detector starts
    run(sim)               # returns when the last file is closed
"""

from filewatcher.testing.detector.models import MODELS, Model
from filewatcher.testing.detector.plan import Images, Step, data_files, master_path, master_paths, schedule
from filewatcher.testing.detector.report import Written
from filewatcher.testing.detector.run import run, write_master
from filewatcher.testing.detector.settings import LAYOUTS, Faults, Simulation

__all__ = [
    "LAYOUTS",
    "MODELS",
    "Faults",
    "Images",
    "Model",
    "Simulation",
    "Step",
    "Written",
    "data_files",
    "master_path",
    "master_paths",
    "run",
    "schedule",
    "write_master",
]
