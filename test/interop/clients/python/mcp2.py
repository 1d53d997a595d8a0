"""The official Python SDK 2.x. Arguments: `auto`, or `legacy` for the session eras."""

import sys
from contextlib import AsyncExitStack

import mcp_types as types
from loop import LIMIT_S, TRANSPORT, URL, heard_log, heard_progress, run
from mcp.client.client import Client as McpClient
from mcp.client.sse import sse_client


async def answer(context, params):
    return types.ElicitResult(action="accept", content={"answer": "blue"})


class Client:
    async def connect(self):
        self.stack = AsyncExitStack()
        self.client = await self.stack.enter_async_context(
            McpClient(
                sse_client(URL) if TRANSPORT == "sse" else URL,
                mode=sys.argv[1],
                read_timeout_seconds=LIMIT_S,
                logging_callback=heard_log,
                elicitation_callback=answer,
            )
        )
        return self.client.protocol_version

    async def list(self):
        return len((await self.client.list_tools()).tools)

    async def call(self, name, args, progress):
        return await self.client.call_tool(name, args, progress_callback=heard_progress if progress else None)

    async def close(self):
        await self.stack.aclose()


run(Client())
