"""Print the ten images with the most spots of a results file: python read_results.py results.h5."""

import sys

import h5py
import numpy as np


def main(path: str) -> None:
    """Read one dataset per number; frames that are not done are NaN there."""
    with h5py.File(path) as results:
        frames = results["entry/scan_0/frames"]
        images, spots = frames["file-number"][()], frames["n_spots_total"][()]
        d_min = frames["estimated_d_min"][()]
    order = np.argsort(-np.nan_to_num(spots, nan=-1.0), kind="stable")
    for i in order[:10]:
        if spots[i] > 0:
            print(f"image {images[i]}: {spots[i]:.0f} spots, {d_min[i]:.2f} A")


if __name__ == "__main__":
    main(sys.argv[1])
