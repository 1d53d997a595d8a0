/** The command line in the process of a test, with somebody who sits at it. @module */
import { type CliOutput, runCli } from "../../../src/client/cli.ts";

export interface Sat {
  readonly code: number;
  readonly asked: readonly string[];
  readonly out: string;
  readonly error: string;
}

/**
 * Runs it to its end.
 * @param answers what is answered, one question after the other: a text, or what is done in its place, which leaves the
 * question without an answer; undefined where there is no terminal
 */
export async function sitting(
  args: readonly string[],
  answers: readonly (string | ((interrupt: () => void) => void))[] | undefined,
): Promise<Sat> {
  const left = answers?.slice();
  const asked: string[] = [];
  const written = { out: "", error: "" };
  const output = (name: keyof typeof written): CliOutput => ({
    write: (text) => void (written[name] += text),
    paint: (_, text) => text,
  });
  let interrupt = (): void => undefined;
  const code = await runCli({
    args,
    out: output("out"),
    error: output("error"),
    ask:
      left &&
      ((question) => {
        asked.push(question);
        const answer = left.shift();
        if (typeof answer !== "function") return Promise.resolve(answer);
        answer(interrupt);
        return Promise.resolve(undefined);
      }),
    onInterrupt(handler) {
      interrupt = handler;
      return () => undefined;
    },
  });
  return { code, asked, ...written };
}
