"""Builds the real edges around the service, and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

# before h5py is imported anywhere in this process or its children
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"

import uvicorn
import uvloop

from filewatcher.cli.collecting import interrupts
from filewatcher.cli.collecting.collect import limits_of
from filewatcher.cli.collecting.depositing import open_office
from filewatcher.cli.collecting.notifying import check_urls
from filewatcher.cli.collecting.placing import ispyb_credentials, resolver_at
from filewatcher.cli.collecting.profiles import choose
from filewatcher.cli.serving import logs
from filewatcher.cli.serving.certificates import check_certificate
from filewatcher.cli.serving.crew import Crew
from filewatcher.cli.serving.recipes import join_zocalo
from filewatcher.cli.serving.workshop import Workshop
from filewatcher.config import read_settings
from filewatcher.core.asks import Ask
from filewatcher.edges.directory import Directory, Watch
from filewatcher.edges.ispyb import Database
from filewatcher.edges.journal import refuse_shared
from filewatcher.edges.registry import SqliteRegistry
from filewatcher.edges.swmr import Budget
from filewatcher.edges.web import Doorway, Metrics, Tokens, create_app
from filewatcher.errors import FilewatcherError, Full, Refused
from filewatcher.roots import Roots
from filewatcher.service import Service, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filewatcher.edges.ispyb import IspybResolver
    from filewatcher.serveconfig import Listen, ServeConfig, Watched

log = logging.getLogger(__name__)

DOOR = "service.json"
"""In the state directory: where the daemon listens, for ``status`` and ``cancel``."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared, not bound
"""Addresses that mean all of this machine's -> the one by which it reaches itself."""
PATIENCE = 5
"""Seconds that answers under way have when the daemon stops."""


def run(config: ServeConfig) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises `Refused` for what cannot be started."""
    logs.set_up()
    with interrupts.kept_from_children():
        return uvloop.run(_serve(config))


async def _serve(config: ServeConfig) -> int:
    settings = read_settings()
    state = settings.state_dir
    refuse_shared(state)
    roots, tokens = Roots(config.allowed()), Tokens.read(config.tokens) if config.tokens else Tokens({})
    profile = choose(config.profile).profile
    check_urls(config.notify)
    budget = Budget(config.watch_share or settings.filewatcher_watch_share)
    listening = _listen(config.listen)
    async with AsyncExitStack() as house:
        house.callback(listening.close)
        registry = SqliteRegistry(state)
        office = open_office(config.notify, _warn)
        if office is not None:
            house.push_async_callback(office.close)
            house.callback(office.hurry)  # the next one goes on
        crew = Crew(profile, _warn)
        house.push_async_callback(crew.close)
        results = (config.results or state / "results").absolute()
        metrics = Metrics(lambda: crew.ready, lambda: crew.busy)
        workshop = Workshop(
            crew, limits_of(profile), budget, roots, state, results, config.notify, office, metrics.stage
        )
        house.push_async_callback(workshop.close)
        terms = Terms(config.limits.running, config.limits.queued, config.limits.remembered)
        service = Service(workshop, registry, time.monotonic, _today, terms, _resolver(house))
        house.push_async_callback(service.close)
        service.follow(metrics)
        zocalo = None if config.zocalo is None else join_zocalo(config.zocalo, service, state)
        if zocalo is not None:
            house.push_async_callback(zocalo.close)
            service.follow(zocalo)
        about = {"version": version("filewatcher"), "generation": f"{os.getpid()}-{int(time.time())}"}
        doorway = Doorway(tokens, _names(config.listen), config.listen.secure, config.limits.body)
        web = create_app(service, doorway, roots.check, lambda: about | {"workers": crew.ready}, metrics)
        server = _Server(_settings(config, web))
        warming = asyncio.create_task(workshop.warm_up())
        house.push_async_callback(_stop, warming)
        await service.start()
        if zocalo is not None:
            await zocalo.start()
        for one in config.watch_directories:
            house.push_async_callback(_stop, _watch(service, config, one))
        url = _announce(state, config.listen, listening)
        log.info("serving %s", url, extra={"more": {"url": url}})
        with interrupts.calling(server.stop):
            await server.serve(sockets=[listening])
        log.info("stopping; what has not ended goes on with the next start")
    return 0


class _Server(uvicorn.Server):
    """Leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """End, in good order."""
        self.should_exit = True


def _settings(config: ServeConfig, web: Any) -> uvicorn.Config:
    listen = config.listen
    return uvicorn.Config(
        web,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # a picture of 10^6 cells is 45 MB: to deflate it takes seconds
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=listen.proxied,
        forwarded_allow_ips="127.0.0.1" if listen.proxied else None,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        limit_concurrency=config.limits.viewers,
        ws_max_size=config.limits.body,
        timeout_graceful_shutdown=PATIENCE,
    )


def _listen(listen: Listen) -> socket.socket:
    if listen.certificate is not None and listen.key is not None:
        check_certificate(listen.certificate, listen.key, datetime.now(UTC))
    try:
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        listening = socket.create_server((listen.host, listen.port), family=family, backlog=1024)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # socket's words name both once more
        raise Refused(f"cannot listen on {listen.host}, port {listen.port}: {why}; give another --port") from error
    # asyncio does so only for sockets of its own making; without, what is sent in two parts waits 40 ms for an ACK
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _names(listen: Listen) -> tuple[str, ...]:
    local = ("localhost", "127.0.0.1", "[::1]")
    own = () if listen.host in EVERYWHERE else (_in_url(listen.host),)
    return (*own, *listen.names, *local)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(state: Path, listen: Listen, listening: socket.socket) -> str:
    """Say where we are, for the commands that look for us."""
    scheme, host = "http", EVERYWHERE.get(listen.host, listen.host)
    if listen.certificate is not None:
        # a certificate is for a name, not for an address
        scheme, host = "https", next((name for name in listen.names if name != "*"), host)
    url = f"{scheme}://{_in_url(host)}:{listening.getsockname()[1]}"
    (state / DOOR).write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    return url


def _watch(service: Service, config: ServeConfig, one: Watched) -> asyncio.Task[None]:
    waiting: set[str] = set()

    async def found(path: str) -> bool:
        try:
            await service.ask(Ask((path,), origin="directory"))
        except Full as error:
            if path not in waiting:
                log.warning("%s has to wait: %s", path, error)
            waiting.add(path)
            return False
        except FilewatcherError as error:
            log.warning("%s is not analysed: %s", path, error)
        waiting.discard(path)
        return True

    poll = None if one.poll == "auto" else one.poll
    watch = Watch(one.folder.absolute(), one.patterns, one.depth, poll)
    if not os.path.isdir(watch.folder):  # noqa: PTH112  it raises nothing where we may not look
        raise Refused(f"watch_directories: {watch.folder} is no folder here, or none that we may look into")
    if not any(watch.folder.resolve().is_relative_to(root.resolve()) for root in config.allowed()):
        raise Refused(f"watch_directories: {watch.folder} is outside the roots")
    task = asyncio.create_task(Directory(watch, found).run())
    task.add_done_callback(lambda task: _say_fault(task, f"{watch.folder} is not watched any more"))
    return task


def _say_fault(task: asyncio.Task[None], what: str) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.critical("this is a fault of filewatcher: %s", what, exc_info=fault)


def _resolver(house: AsyncExitStack) -> IspybResolver | None:
    """Return who looks up data collection ids; None where the environment names no database."""
    if read_settings().ispyb_credentials is None:
        return None
    database = Database(ispyb_credentials())
    house.callback(database.close)
    return resolver_at(database, _warn)


def _warn(sentence: str) -> None:
    log.warning("%s", sentence)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _today() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
