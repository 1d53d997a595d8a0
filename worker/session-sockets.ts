/**
 * The WebSockets of a session's object. What each is for is in its attachment, and read from there when the object
 * wakes: meanwhile it slept, with its clients connected, and the edge's pings were answered by the runtime.
 * @module
 */
import type { EventSink } from "../src/events.ts";
import type { Session } from "../src/session/contract.ts";
import type { Outlet } from "../src/session/streams/outlet.ts";
import { parseClose, parseSeq } from "../src/sse/control.ts";
import { PING, PONG, type SocketState, socketOutlet, socketState } from "./links.ts";
import { reportUnreadable, WIRE } from "../src/wire/version.ts";

/** Whose WebSockets they are. */
export interface SessionSocketsOptions {
  readonly ctx: DurableObjectState;
  readonly session: Session;
  readonly emit: EventSink;
}

/** The standing streams' links, from the object's end. */
export interface SessionSockets {
  /** Gives streams back the links that outlasted the object's sleep; for once, before all else. */
  restore(): void;
  /** One more link: the edge's end of it, and where the stream writes. */
  open(of: Pick<SocketState, "stream" | "connectionId" | "notesPlace">): {
    client: WebSocket;
    outlet: Outlet;
  };
  message(socket: WebSocket, message: string | ArrayBuffer): void;
  closed(socket: WebSocket, reason: string): void;
  broken(socket: WebSocket): void;
}

/** Those of one object. */
export function createSessionSockets({ ctx, session, emit }: SessionSocketsOptions): SessionSockets {
  /** What the WebSocket is for; undefined where this code cannot read it. */
  const stateOf = (socket: WebSocket): SocketState | undefined => {
    try {
      return socketState(socket.deserializeAttachment());
    } catch (error) {
      reportUnreadable(emit, { at: "session", what: "attachment" }, error);
      return undefined;
    }
  };

  const outletOf = (socket: WebSocket, state: SocketState): ReturnType<typeof socketOutlet> =>
    socketOutlet(socket, state, {
      lastSeen: () => ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? state.openedAt,
      onBroken: () => session.leave(state.stream, state.connectionId),
    });

  return {
    restore() {
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
      for (const socket of ctx.getWebSockets()) {
        const state = stateOf(socket);
        if (state !== undefined) session.restore(state.stream, outletOf(socket, state), state);
        // Without a word of why: the edge dials again.
        else socket.close(1012, "another version");
      }
    },
    open(of) {
      const { 0: client, 1: server } = new WebSocketPair();
      ctx.acceptWebSocket(server);
      const state: SocketState = { wire: WIRE, openedAt: Date.now(), place: 0, ...of };
      server.serializeAttachment(state);
      return { client, outlet: outletOf(server, state) };
    },
    message(socket, message) {
      const state = stateOf(socket);
      const [word, text] = String(message).split(" ");
      const seq = parseSeq(text);
      // Beyond what was sent nothing can have been taken.
      if (state === undefined || word !== "ack" || seq === undefined || seq > state.place) return;
      // The object may sleep before the next event's row can say so.
      socket.serializeAttachment({ ...state, handed: seq } satisfies SocketState);
      session.ack(state.stream, state.connectionId, seq);
    },
    closed(socket, reason) {
      const state = stateOf(socket);
      if (state !== undefined) session.leave(state.stream, state.connectionId, parseClose(reason));
      socket.close();
    },
    broken(socket) {
      const state = stateOf(socket);
      if (state !== undefined) session.leave(state.stream, state.connectionId);
    },
  };
}
