"""The program around a client in Python: see ../loop.ts for the lines that it speaks.

A client subclasses Client: connect() -> version, list() -> int, call(name, args, progress) -> result, close().
The whole life of the client runs in one task, as anyio's cancel scopes want it.
"""

import asyncio
import json
import sys
import traceback

BASE, TRANSPORT, LIMIT_MS = sys.argv[-3:]
LIMIT_S = int(LIMIT_MS) / 1000
URL = f"{BASE}/{'sse' if TRANSPORT == 'sse' else 'mcp'}"


def emit(**message):
    print(json.dumps(message), flush=True)


async def heard_log(*_):
    emit(event="log")


async def heard_progress(*_):
    emit(event="progress")


def text_of(result):
    text = "".join(getattr(part, "text", None) or "" for part in result.content)
    if getattr(result, "isError", False) or getattr(result, "is_error", False):
        raise RuntimeError(f"the tool failed: {text}")
    return text


def describe(error):
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def operate(client, message):
    match message["op"]:
        case "connect":
            return await client.connect()
        case "list":
            return await client.list()
        case "call":
            return text_of(await client.call(message["name"], message["args"], message.get("progress", False)))
        case _:
            return await client.close()


async def serve(client):
    lines = asyncio.StreamReader(limit=10_000_000)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while True:
        try:
            line = await lines.readline()
        except asyncio.CancelledError:
            # A client that breaks between two calls cancels the task that opened it.
            traceback.print_exc()
            asyncio.current_task().uncancel()
            continue
        if not line:
            return
        message = json.loads(line)
        try:
            value = await operate(client, message)
            if isinstance(value, str):
                emit(id=message["id"], ok=True, value=value[:200], length=len(value))
            else:
                emit(id=message["id"], ok=True, value=value)
        except BaseException as error:  # a cancelled task is an outcome like any other
            traceback.print_exc()
            emit(id=message["id"], ok=False, error=describe(error))
            while asyncio.current_task().cancelling():
                asyncio.current_task().uncancel()


def run(client):
    asyncio.run(serve(client))
