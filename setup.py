"""The compiled part of the package; everything else is in setup.cfg."""

from pathlib import Path

import pybind11
from setuptools import Extension, setup

KERNEL = Path("spotfinding/native")

setup(
    ext_modules=[
        Extension(
            "spotfinding.native._kernel",
            sources=sorted(map(str, KERNEL.glob("*.cpp"))),
            depends=sorted(map(str, KERNEL.glob("*.h"))),
            include_dirs=[pybind11.get_include()],
            language="c++",
            # No contraction to fused multiply-add, which rounds once where DIALS rounds twice.
            extra_compile_args=["-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"],
        )
    ]
)
