"""The MCP servers of the OpenAI Agents SDK."""

from agents.mcp import MCPServerSse, MCPServerStreamableHttp
from loop import LIMIT_S, TRANSPORT, URL, heard_log, run


async def heard(message):
    root = getattr(message, "root", message)
    if type(root).__name__ == "LoggingMessageNotification":
        await heard_log()


class Client:
    async def connect(self):
        kind = MCPServerSse if TRANSPORT == "sse" else MCPServerStreamableHttp
        self.server = kind({"url": URL}, message_handler=heard, client_session_timeout_seconds=LIMIT_S)
        await self.server.connect()
        opened = getattr(self.server, "server_initialize_result", None)
        return getattr(opened, "protocol_version", None) or getattr(self.server.session, "protocol_version", None)

    async def list(self):
        return len(await self.server.list_tools())

    async def call(self, name, args, progress):
        return await self.server.call_tool(name, args)

    async def close(self):
        await self.server.cleanup()


run(Client())
