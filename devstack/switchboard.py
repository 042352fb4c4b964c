"""The other side of `devstack.control`: takes requests on a socket in the stack's folder."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from devstack import control
from devstack.errors import DevstackError
from devstack.stack import Stack

PAUSE = 0.005  # seconds between two looks at a process that is to stand still


@asynccontextmanager
async def open_for(stack: Stack, folder: Path) -> AsyncIterator[None]:
    """Take requests for this stack; only who may enter the folder can make any."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(control.short(folder / control.SOCKET, descriptor))
        listener.setblocking(False)
        server = await asyncio.start_unix_server(
            lambda reader, writer: _serve(stack, reader, writer), sock=listener
        )
        try:
            yield
        finally:
            server.close()
    finally:
        listener.close()
        os.close(descriptor)


async def _serve(stack: Stack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        request = json.loads(await reader.readline())
        try:
            answer: dict[str, Any] = {"pid": await _do(stack, request)}
        except (DevstackError, OSError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    except (OSError, ValueError):
        pass  # who asked is gone, or was nobody who asks
    finally:
        writer.close()


async def _do(stack: Stack, request: dict[str, Any]) -> int | None:
    server = stack.server(request["name"])
    match request["verb"]:
        case "start":
            stack.start_server(server.name)
        case "stop":
            await server.stop(request["signal"])
        case "freeze":
            server.signal(signal.SIGSTOP)
            while server.pid and psutil.Process(server.pid).status() != psutil.STATUS_STOPPED:
                await asyncio.sleep(PAUSE)
        case "thaw":
            server.signal(signal.SIGCONT)
        case "wait_ready":
            await server.wait_ready(request["limit"])
        case unknown:
            raise DevstackError(f"unknown request {unknown!r}")
    return server.pid
