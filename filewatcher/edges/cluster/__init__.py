"""Where workers run: a profile in, jobs out."""

from filewatcher.edges.cluster.script import job_script

__all__ = ["job_script"]
