"""The compiled part of the package; everything else is in setup.cfg."""

from pathlib import Path

import pybind11
from setuptools import Extension, setup

BITSHUFFLE = Path("spotfinding/bitshuffle")

setup(
    ext_modules=[
        Extension(
            "spotfinding.bitshuffle._blocks",
            sources=sorted(map(str, BITSHUFFLE.glob("*.cpp"))),
            depends=sorted(map(str, BITSHUFFLE.glob("*.h"))),
            include_dirs=[pybind11.get_include()],
            language="c++",
            extra_compile_args=["-std=c++17", "-O3", "-fvisibility=hidden"],
        )
    ]
)
