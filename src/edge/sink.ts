/**
 * The body of a streamed response, as something to write to at the reader's pace.
 * @module
 */

/** The body of a streamed response. */
export interface Sink {
  readonly readable: ReadableStream<Uint8Array>;
  /**
   * Resolves once the reader has taken the bytes. Rejects once the reader is gone. Nothing is held in between:
   * what counts as written has left for the socket, which has a queue of its own.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the body after what was written. Resolves once the reader has taken the end (true), or cannot any more. */
  close(): Promise<boolean>;
  /** Breaks the body off, whatever the reader has not taken: the server cuts the client's connection, and may say why. */
  abort(why: string): void;
}

interface NativeTransform {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** @param onCancel the reader has gone away and the runtime says so */
export function createSink(onCancel: () => void): Sink {
  const { IdentityTransformStream: Native } = globalThis as {
    IdentityTransformStream?: new () => NativeTransform;
  };
  return Native === undefined ? scriptSink(onCancel) : nativeSink(new Native(), onCancel);
}

/**
 * workerd's own pipe: long-lived responses made of JavaScript streams have been seen to stall there
 * in production, native ones have not.
 */
function nativeSink({ readable, writable }: NativeTransform, onCancel: () => void): Sink {
  const writer = writable.getWriter();
  writer.closed.catch(onCancel);
  return {
    readable,
    write: (bytes) => writer.write(bytes),
    close: () =>
      writer.close().then(
        () => true,
        () => false,
      ),
    abort: (why) => void writer.abort(brokenOff(why)).catch(() => {}),
  };
}

interface Waiting {
  readonly bytes: Uint8Array;
  taken(): void;
  failed(error: Error): void;
}

/** Not a TransformStream: aborting one waits for the write that is under way, which waits for the reader. */
function scriptSink(onCancel: () => void): Sink {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const waiting: Waiting[] = [];
  /** The reader has asked, and nothing was there. */
  let isAsking = false;
  let isOver = false;
  /** Set once no more will be written. */
  let onClosed: ((isTaken: boolean) => void) | undefined;

  const fail = (): void => {
    isOver = true;
    for (const { failed } of waiting.splice(0)) failed(new Error("the reader is gone"));
    onClosed?.(false);
  };
  const closeIfDrained = (): void => {
    if (onClosed === undefined || isOver || waiting.length > 0) return;
    isOver = true;
    controller?.close();
    onClosed(true);
  };

  const readable = new ReadableStream<Uint8Array>(
    {
      start: (own) => void (controller = own),
      pull() {
        const next = waiting.shift();
        isAsking = next === undefined;
        if (next === undefined) return;
        controller?.enqueue(next.bytes);
        next.taken();
        closeIfDrained();
      },
      cancel() {
        fail();
        onCancel();
      },
    },
    // Asked by its reader alone: what is read ahead would count as taken.
    { highWaterMark: 0 },
  );

  return {
    readable,
    async write(bytes) {
      if (isOver) throw new Error("the reader is gone");
      if (!isAsking) return new Promise((taken, failed) => void waiting.push({ bytes, taken, failed }));
      isAsking = false;
      controller?.enqueue(bytes);
    },
    close: () =>
      new Promise((resolve) => {
        if (isOver) return resolve(false);
        onClosed = resolve;
        closeIfDrained();
      }),
    abort(why) {
      if (isOver) return;
      fail();
      controller?.error(brokenOff(why));
    },
  };
}

/** Without a stack: servers print the error that a body ends with, and there is nothing to be found in ours. */
function brokenOff(why: string): Error {
  const error = new Error(`The connection was cut: ${why}`);
  error.stack = "";
  return error;
}
