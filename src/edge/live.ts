/**
 * A stream that nobody can resume: what is written goes to the client who is connected now, or nowhere.
 *
 * Writers are not made to wait (an SDK does not), so what waits for the reader is bounded; over it the stream
 * ends, and the client asks again.
 * @module
 */
import type { DisconnectReason } from "../events.ts";
import type { Settings } from "../options.ts";
import { join } from "../sse/join.ts";
import { createConnection } from "./connection.ts";

export interface LiveStream {
  readonly readable: ReadableStream<Uint8Array>;
  /** Settles once, when the stream is over, with the reason. */
  readonly ended: Promise<DisconnectReason>;
  /** Writes whole frames. Resolves once the client has taken them; rejects once the stream is over. */
  write(frames: Uint8Array): Promise<void>;
  /** Ends the stream once the client has all that was written. */
  finish(): Promise<void>;
  end(reason: DisconnectReason): void;
}

/** @param signal aborts when the runtime sees the client leave */
export function createLiveStream(settings: Settings, signal: AbortSignal): LiveStream {
  const connection = createConnection({
    id: crypto.randomUUID(),
    sessionId: undefined,
    // Nobody could answer a `ping` here, and other events than messages are the session eras' own.
    settings: { ...settings, keepaliveMode: "comment" },
    signal,
    onAlive() {},
  });
  const { readable, ended, end } = connection;
  let queue: Uint8Array[] = [];
  let waiting = 0;
  let writing: Promise<void> | undefined;

  /** What came while the client was taking what came before goes out in one. */
  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const bytes = join(queue);
      queue = [];
      waiting = 0;
      await connection.write(bytes);
    }
    writing = undefined;
  };

  return {
    readable,
    ended,
    end,
    write(frames) {
      queue.push(frames);
      waiting += frames.length;
      if (waiting > settings.maxStoredBytes) {
        queue = [];
        end("overflow");
      }
      writing ??= drain();
      // Most writers do not look: a client that is gone is no error of theirs.
      writing.catch(() => {});
      return writing;
    },
    async finish() {
      await writing;
      end("done");
    },
  };
}
