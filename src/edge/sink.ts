/**
 * The body of a streamed response, as something to write to at the reader's pace.
 * @module
 */

export interface Sink {
  readonly readable: ReadableStream<Uint8Array>;
  /** Resolves once the reader has taken the bytes, or room is left for more. Rejects once the reader is gone. */
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** Bytes that may wait for the reader before a write does. */
const BUFFER = 65_536;

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
    close: () => void writer.close().catch(() => {}),
  };
}

function scriptSink(onCancel: () => void): Sink {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let room: (() => void) | undefined;
  let isOver = false;
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (own) => void (controller = own),
      pull: () => room?.(),
      cancel() {
        isOver = true;
        room?.();
        onCancel();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER }),
  );
  return {
    readable,
    async write(bytes) {
      if (isOver) throw new Error("the reader is gone");
      controller?.enqueue(bytes);
      if ((controller?.desiredSize ?? 1) > 0) return;
      await new Promise<void>((resolve) => (room = resolve));
      room = undefined;
      if (isOver) throw new Error("the reader is gone");
    },
    close() {
      if (isOver) return;
      isOver = true;
      room?.();
      controller?.close();
    },
  };
}
