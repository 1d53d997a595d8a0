"""The official Python SDK 1.x."""

from contextlib import AsyncExitStack
from datetime import timedelta

from loop import LIMIT_S, TRANSPORT, URL, heard_log, heard_progress, run
from mcp import ClientSession, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client


async def answer(context, params):
    return types.ElicitResult(action="accept", content={"answer": "blue"})


class Client:
    async def connect(self):
        self.stack = AsyncExitStack()
        opener = sse_client if TRANSPORT == "sse" else streamablehttp_client
        reader, writer, *_ = await self.stack.enter_async_context(opener(URL))
        self.session = await self.stack.enter_async_context(
            ClientSession(
                reader,
                writer,
                read_timeout_seconds=timedelta(seconds=LIMIT_S),
                logging_callback=heard_log,
                elicitation_callback=answer,
            )
        )
        return (await self.session.initialize()).protocolVersion

    async def list(self):
        return len((await self.session.list_tools()).tools)

    async def call(self, name, args, progress):
        return await self.session.call_tool(name, args, progress_callback=heard_progress if progress else None)

    async def close(self):
        await self.stack.aclose()


run(Client())
