"""What a text in a profile may be, because it ends up in a job script. Each raises `ValueError` with the way out."""

from __future__ import annotations

import re

OURS = {
    "partition": ("-p", "slurm.partition"),
    "account": ("-A", "slurm.account"),
    "qos": ("-q", "slurm.qos"),
    "time": ("-t", "slurm.walltime"),
    "mem": ("", "slurm.job_memory"),
    "mem-per-cpu": ("", "slurm.job_memory"),
    "cpus-per-task": ("-c", "workers.per_job"),
    "ntasks": ("-n", "workers.per_job"),
    "nodes": ("-N", "workers.jobs_max"),
    "array": ("-a", "workers.jobs_max"),
    "output": ("-o", "slurm.log_directory"),
    "error": ("-e", "slurm.log_directory"),
}
"""Options of sbatch that have a key here: long name -> (short name, key)."""
FIXED = {"requeue": "", "no-requeue": "", "chdir": "-D", "job-name": "-J", "wrap": ""}
"""Options of sbatch that filewatcher sets itself: long name -> short name."""


def job_name_part(text: str) -> str:
    """Check a partition, account or quality of service.

    >>> job_name_part("live,backup")
    'live,backup'
    """
    if not re.fullmatch(r"[\w.,:@+-]+", text, flags=re.ASCII) or text.startswith("-"):
        raise ValueError(f"{text!r} is no name that Slurm knows: letters, digits and . _ - , only")
    return text


def host_interface(text: str) -> str:
    """Check the name of a network interface."""
    if not re.fullmatch(r"[\w.:-]{1,15}", text, flags=re.ASCII) or text.startswith("-"):
        raise ValueError(f"{text!r} is no network interface: write a name that `ip link` shows, as ib0")
    return text


def variable(text: str) -> str:
    """Check the name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_]\w*", text, flags=re.ASCII):
        raise ValueError(f"{text!r} is no name of an environment variable: letters, digits and _ only")
    return text


def node_directory(text: str) -> str:
    """Check a folder on the node: absolute, below the home folder, or with variables that the node knows.

    >>> node_directory("/scratch/$USER")
    '/scratch/$USER'
    """
    if not re.match(r"[/$]|~/", text) or not text.isprintable():
        raise ValueError(f"{text!r} is not absolute, and a job starts elsewhere: begin with /, ~/ or $NAME")
    if re.search(r'["`\\]', text) or "$" in re.sub(r"\$(\w+|\{\w+\})", "", text):
        raise ValueError(f"{text!r} has signs that a shell would act on: write a plain path, with $NAME at most")
    return text


def shared_directory(text: str) -> str:
    """Check a folder that all nodes see, by the same name."""
    if not re.match(r"/|~/", text) or not text.isprintable():
        raise ValueError(f"{text!r} is not absolute, and a job starts elsewhere: begin with / or ~/")
    if re.search(r"[\"'`\\$%\s]", text):
        raise ValueError(f"{text!r} has signs that Slurm would act on: write a plain path")
    return text.rstrip("/") or "/"


def python(text: str) -> str:
    """Check the path of an interpreter."""
    if not text.startswith("/") or not text.isprintable():
        raise ValueError(f"{text!r} is not absolute, and nodes may have another PATH: write /path/to/bin/python")
    return text


def checked_directive(text: str) -> str:
    """Check a further option of sbatch: one option, and none that has a key of its own.

    >>> checked_directive("--exclusive=user")
    '--exclusive=user'
    """
    match = re.fullmatch(r"(?:#SBATCH\s+)?(--([a-z][a-z0-9-]*)|(-[A-Za-z]))(.*)", text)
    if not match or not text.isprintable():
        raise ValueError(f"{text!r} is no option of sbatch: write one per item, as --exclusive=user or -C icelake")
    if text.startswith("#"):
        raise ValueError(f"{text!r}: leave #SBATCH away, it is put in front")
    long, short = match[2], match[3]
    for name, (letter, key) in OURS.items():
        if long == name or (letter and short == letter):
            raise ValueError(f"{text!r} has a key of its own: write {key}")
    for name, letter in FIXED.items():
        if long == name or (letter and short == letter):
            raise ValueError(f"{text!r} is set by filewatcher itself: remove it")
    return text
