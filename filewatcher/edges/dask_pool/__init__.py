"""Dask: batches out, results or failures back."""

from filewatcher.edges.dask_pool.pool import DaskPool, cores

__all__ = ["DaskPool", "cores"]
