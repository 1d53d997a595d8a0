/**
 * The body of a streamed response, as something to write to at the reader's pace.
 * @module
 */

export interface Sink {
  readonly readable: ReadableStream<Uint8Array>;
  /**
   * Resolves once the reader has taken the bytes. Rejects once the reader is gone. Nothing is held in between:
   * what counts as written has left for the socket, which has a queue of its own.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the body after what was written. Resolves once the reader has taken the end, or cannot any more. */
  close(): Promise<void>;
  /** Breaks the body off, whatever the reader has not taken: the server cuts the client's connection. */
  abort(): void;
}

/**
 * workerd's own pipe where there is one: long-lived responses made of JavaScript streams have been seen to
 * stall there in production, native ones have not. It paces like the standard one: a write waits for a read.
 */
const { IdentityTransformStream: Pipe = TransformStream<Uint8Array, Uint8Array> } = globalThis as {
  IdentityTransformStream?: typeof TransformStream<Uint8Array, Uint8Array>;
};

/** @param onCancel the reader has gone away and the runtime says so */
export function createSink(onCancel: () => void): Sink {
  const { readable, writable } = new Pipe();
  const writer = writable.getWriter();
  writer.closed.catch(onCancel);
  return {
    readable,
    write: (bytes) => writer.write(bytes),
    close: () => writer.close().catch(() => {}),
    abort: () => void writer.abort(brokenOff()).catch(() => {}),
  };
}

/** Without a stack: servers print the error that a body ends with, and there is nothing to be found in ours. */
function brokenOff(): Error {
  const error = new Error("The connection was cut: its client takes nothing");
  error.stack = "";
  return error;
}
