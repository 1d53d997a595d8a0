/**
 * A stream that nobody can resume: what is written goes to the client who is connected now, or nowhere.
 *
 * Writers are not made to wait (an SDK does not), so what waits for the reader is bounded, for each stream and for
 * all of an isolate or process; over it the stream ends, and the client asks again.
 * @module
 */
import { createBudget } from "../budget.ts";
import type { DisconnectReason } from "../events.ts";
import type { Settings } from "../options.ts";
import { join } from "../sse/join.ts";
import { createConnection } from "./connection.ts";

/** A response that is written as its frames come, and kept nowhere. */
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

/**
 * What may wait for the readers of all streams, in bytes: half of what an isolate has. Nobody can be made to read, and
 * anybody can ask for much that he does not read.
 */
const all = createBudget(64 * 2 ** 20);
/** What each stream may have besides: those who read must not be cut for those who do not. */
const FREE_BYTES = 65_536;

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
  /** All that is in memory, being written too, and the part of it that `all` counts. */
  let held = 0;
  let counted = 0;

  const hold = (bytes: number): boolean => {
    held += bytes;
    const more = Math.max(0, held - FREE_BYTES) - counted;
    if (!all.take(more)) return false;
    counted += more;
    return true;
  };
  // What is being written when the stream ends goes with it.
  void ended.then(() => {
    all.give(counted);
    counted = 0;
    held = -Infinity;
  });

  /** What came while the client was taking what came before goes out in one. */
  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const bytes = join(queue);
      queue = [];
      waiting = 0;
      await connection.write(bytes);
      hold(-bytes.length);
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
      if (!hold(frames.length) || waiting > settings.maxStoredBytes) {
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
