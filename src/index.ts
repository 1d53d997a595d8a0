/**
 * Holdfast: HTTP transport for MCP servers that does not let go. This entry is the part that runs
 * anywhere; `holdfast/cloudflare` adds the Durable Object, `holdfast/local` the host in one process.
 * @module
 */
export type {
  CallEvent,
  DisconnectReason,
  EndedCall,
  EventFields,
  HoldfastEvent,
  LogLevel,
  Outcome,
  StartedCall,
} from "./events.ts";
export type { Change, ChangeBus, ChangeHub, Notice, Notifier, Signal } from "./changes.ts";
export type { WaitUntil } from "./background.ts";
export type { ModernHandler, SessionHost, SessionRef } from "./host.ts";
export type {
  CallDetail,
  ClientInfo,
  SessionDetail,
  SessionLog,
  SessionLogEntry,
  SessionLogs,
  SessionPage,
  SessionQuery,
  Sessions,
  SessionSummary,
  StreamDetail,
} from "./sessions.ts";
export type {
  JsonObject,
  JsonRpcErrorObject,
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResponse,
  RequestId,
} from "./jsonrpc/messages.ts";
export { SESSION_VERSIONS } from "./jsonrpc/versions.ts";
export type { AllowedOrigins } from "./option-checks.ts";
export type { Disconnect, HoldfastOptions, KeepaliveMode } from "./options.ts";
export { optionsFromEnv } from "./variables.ts";
export { type Annex, createMcpRouter, type RouterOptions } from "./router.ts";
export { openaiConversation, perPrincipal } from "./routes/keyed.ts";
export type { KeyedRequest, SessionKey } from "./routes/session-key.ts";
export type { Authorization, Authorize, Topic } from "./routes/context.ts";
export type {
  ConnectableServer,
  CreateServer,
  ModernContext,
  RequestContext,
  ServerContext,
  SessionContext,
  SessionInfo,
  SessionState,
  TaskContext,
  TaskInfo,
} from "./session/server/factory.ts";
export { type User, type UserState, userState } from "./user/state.ts";
export type { Users } from "./user/user.ts";
export type { MessageExtra, SendOptions, SessionTransport, WireMessage } from "./session/server/transport.ts";
export type { OnCall } from "./watch.ts";
