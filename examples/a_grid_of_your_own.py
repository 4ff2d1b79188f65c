"""Lay values out on a grid by hand: a vertical snake that starts bottom-right, 4 columns and 3 rows."""

import numpy as np

from filewatcher.core.grid import Grid


def main() -> None:
    """Say which cell each frame is, and draw the frame numbers as seen from the camera."""
    grid = Grid(4, 3, snaked=True, orientation="vertical", start="bottom-right", step=(0.02, 0.02))
    for frame in (0, 1, 3, 11):
        row, column = grid.cell(frame)
        print(f"image {frame + 1} is in row {row}, column {column}")
    print(grid.picture(np.arange(len(grid)), fill=-1))


if __name__ == "__main__":
    main()
