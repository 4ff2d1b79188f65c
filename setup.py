"""The compiled parts of the package; everything else is in setup.cfg."""

from pathlib import Path

import pybind11
from setuptools import Extension, setup


def compiled(name: str, *flags: str, also: tuple[str, ...] = ()) -> Extension:
    """Return the extension of this name, made of all sources in its folder, and `also` of some in others."""
    folder = Path(*name.split(".")[:-1])
    return Extension(
        name,
        sources=[*sorted(map(str, folder.glob("*.cpp"))), *also],
        depends=sorted(map(str, folder.parent.glob("*/*.h"))),
        include_dirs=[pybind11.get_include()],
        language="c++",
        extra_compile_args=["-std=c++17", "-O3", "-fvisibility=hidden", *flags],
    )


setup(
    ext_modules=[
        compiled("spotfinding.bitshuffle._blocks"),
        compiled("filewatcher.edges.swmr.index._entries"),
        # No contraction to fused multiply-add, which rounds once where DIALS rounds twice.
        compiled(
            "spotfinding.native._kernel",
            "-ffp-contract=off",
            "-fno-math-errno",
            "-Wno-psabi",
            also=("spotfinding/bitshuffle/blocks.cpp",),
        ),
    ]
)
