"""A private, real Slurm on this machine: slurmctld, munged and several virtual nodes, on loopback, in one folder.

It needs root and Debian's packages `slurm-wlm` and `munge`; neither systemd nor cgroups. Everything it writes lies in
its folder; every process it started is ended by its id. Children find it by `SLURM_CONF` in their environment.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filewatcher.edges.swmr.hints import Hints
from filewatcher.errors import FilewatcherError, Unreachable
from filewatcher.testing.servers import PrivateServer, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
PATIENCE = 30.0
"""Seconds for a daemon to come or to go."""
LOOK = 1.0
"""Seconds between two looks at most: Slurm writes into its logs what happens, and then it is looked at once."""

CONFIGURATION = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
# 127.0.0.1 only
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/munged.sock
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
MailProg=/bin/true
# neither cgroups nor binding nor accounting
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
# nodes may have more cores than the machine
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
MinJobAge=60
KillWait=5
Waittime=0
DefMemPerCPU=500
"""


class PrivateSlurm(PrivateServer):
    """A running cluster of nodes ``n0``, ``n1``, ... with partitions ``live`` and ``short`` (two minutes at most).

    `cpus` and `memory` (MiB) are what each node pretends to have. Raises `Unreachable` where Slurm is not installed
    or does not come up.
    """

    def __init__(self, folder: Path, *, nodes: int = 3, cpus: int = 8, memory: int = 16000) -> None:
        self.folder = folder
        self.nodes = tuple(f"n{i}" for i in range(nodes))
        self._cpus, self._memory = cpus, memory

    @property
    def environment(self) -> dict[str, str]:
        """What children need to find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def begin(self) -> None:
        """Configure it, start every daemon, wait until all nodes take jobs."""
        absent = [name for name in (*DAEMONS, *COMMANDS) if shutil.which(name) is None]
        if absent:
            raise Unreachable(f"no {', '.join(absent)} here: apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            raise Unreachable("a private Slurm runs jobs as any user, so it needs root")
        self._configure()
        self._start_munged()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self.until(lambda: self.idle_nodes() == len(self.nodes), "all nodes taking jobs")

    def close(self) -> None:
        """End jobs and daemons; what has been started and is still there is killed."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.call("scancel", "--user=root")
            self.until(lambda: not self.call("squeue", "-h"), "an empty queue")
        for file in (*sorted((self.folder / "run").glob("*.pid"), reverse=True), self._munge / "munged.pid"):
            self._end(file)

    def call(self, *words: str) -> str:
        """Run one of Slurm's commands; returns its standard output. Raises `subprocess.CalledProcessError`."""
        done = subprocess.run(
            words, env=os.environ | self.environment, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return done.stdout.strip()

    def jobs(self, state: str = "") -> list[str]:
        """Numbers of the jobs in the queue: all, or those in a state such as ``RUNNING``."""
        return self.call("squeue", "-h", "-o", "%i", *([f"--states={state}"] if state else [])).split()

    def idle_nodes(self) -> int:
        """How many nodes would take a job now."""
        try:
            counts = self.call("sinfo", "-h", "-p", "live", "-t", "idle,alloc,mix", "-o", "%D").split()
        except subprocess.SubprocessError:
            return 0
        return sum(map(int, counts))

    def start_controller(self) -> None:
        """Start slurmctld."""
        self.call("slurmctld", "-f", self.environment["SLURM_CONF"])

    def stop_controller(self) -> None:
        """End slurmctld; jobs go on, its state is kept."""
        self._end(self.folder / "run" / "slurmctld.pid")

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        self.call("slurmd", "-N", node, "-f", self.environment["SLURM_CONF"])

    def take_node_down(self, node: str) -> None:
        """Set a node down: its jobs are killed."""
        self.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def bring_node_back(self, node: str) -> None:
        """Wait until it takes jobs again; it may have come back by itself, which Slurm calls an invalid state."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("scontrol", "update", f"nodename={node}", "state=resume")
        self.until(lambda: self.idle_nodes() == len(self.nodes), "all nodes taking jobs")

    def set_partition(self, partition: str, state: str) -> None:
        """Set a partition ``inactive`` (sbatch fails), ``down`` (jobs wait) or ``up``."""
        self.call("scontrol", "update", f"partition={partition}", f"state={state}")

    def until(self, true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait until it is true, looking whenever Slurm's logs say something. Raises `Unreachable` if it never is."""
        end = time.monotonic() + seconds
        with Hints() as hints:
            hints.watch({str(self.folder / "log")})
            hints.growth(True)
            while not true():
                if time.monotonic() > end:
                    raise Unreachable(f"the private Slurm: no {what} after {seconds:g} s")
                select.select([] if hints.fd is None else [hints.fd], [], [], LOOK)
                hints.clear()

    @property
    def _munge(self) -> Path:
        return self.folder / "munge"

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("state", "log", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        # munged serves all users, and refuses a folder that others may write to
        self._munge.mkdir(mode=0o711, exist_ok=True)
        host = socket.gethostname().partition(".")[0]
        _know(host)
        ports = free_ports(len(self.nodes) + 1)
        nodes = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self._cpus} "
            f"RealMemory={self._memory} State=UNKNOWN\n"
            for node, port in zip(self.nodes, ports[1:], strict=True)
        )
        partitions = (
            "PartitionName=live Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=01:00:00 State=UP\n"
            "PartitionName=short Nodes=ALL MaxTime=00:02:00 DefaultTime=00:01:00 State=UP\n"
        )
        text = CONFIGURATION.format(host=host, folder=self.folder, port=ports[0]) + nodes + partitions
        (self.folder / "slurm.conf").write_text(text)

    def _start_munged(self) -> None:
        key = self._munge / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        files: Mapping[str, str] = {"key": "munge.key", "pid": "munged.pid", "log": "munged.log", "seed": "munge.seed"}
        words = [f"--{what}-file={self._munge / name}" for what, name in files.items()]
        # --force: a folder below /tmp, which all may write to
        self.call("munged", "--force", f"--socket={self._munge / 'munged.sock'}", "--num-threads=2", *words)

    def _end(self, pid_file: Path) -> None:
        try:
            process = os.pidfd_open(int(pid_file.read_text()))
        except (OSError, ValueError):  # it never came, or has gone
            return
        try:
            for means in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(process, means)
                if select.select([process], [], [], PATIENCE)[0]:
                    break
        finally:
            os.close(process)
        pid_file.unlink(missing_ok=True)


def _know(host: str) -> None:
    """Slurm's daemons look up this machine's own name; a bare machine may not know it."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        raise Unreachable(f"this machine does not know its own name: add '127.0.0.1 {host}' to /etc/hosts") from error


def main(folder: Path) -> None:
    """Run one in the foreground, until SIGINT or SIGTERM."""
    stop = {signal.SIGINT, signal.SIGTERM}
    try:
        with PrivateSlurm(folder) as slurm:
            signal.pthread_sigmask(signal.SIG_BLOCK, stop)
            (line,) = (f"export {name}={value}" for name, value in slurm.environment.items())
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            signal.sigwait(stop)
    except FilewatcherError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "slurm").absolute())
