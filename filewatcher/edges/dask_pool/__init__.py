"""Dask: batches out, results or failures back."""

from filewatcher.edges.dask_pool.pool import DaskPool, cores
from filewatcher.edges.dask_pool.share import Share

__all__ = ["DaskPool", "Share", "cores"]
