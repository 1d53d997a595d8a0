/** Elicitations on a terminal: what is shown, what is sent. */
import { describe, expect, it } from "vitest";
import { answering } from "../../src/client/cli-questions.ts";
import type { Elicitation } from "../../src/client/cli-sdk.ts";

const FORM: Elicitation = {
  message: "Book a table?",
  requestedSchema: {
    properties: {
      name: { type: "string", title: "Your name" },
      seats: { type: "integer", default: 2 },
      smoking: { type: "boolean" },
      room: { type: "string", enum: ["inside", "garden"] },
      extras: { type: "array", items: { type: "string", enum: ["cake", "wine"] } },
    },
    required: ["name", "smoking", "room"],
  },
};

/** Answers from a list; what was asked is kept. Undefined is the end of the input. */
async function play(asked: Elicitation, answers: (string | undefined)[]) {
  const questions: string[] = [];
  const left = [...answers];
  const answer = await answering((question) => {
    questions.push(question);
    return Promise.resolve(left.shift());
  }, new AbortController().signal)(asked);
  expect(left).toEqual([]);
  return { answer, questions };
}

describe("a form", () => {
  it("is asked field by field, each answer by its type", async () => {
    const { answer, questions } = await play(FORM, ["y", "Ada", "4", "no", "garden", "cake, wine"]);
    const content = { name: "Ada", seats: 4, smoking: false, room: "garden", extras: ["cake", "wine"] };
    expect(answer).toEqual({ action: "accept", content });
    expect(questions).toEqual([
      "The server asks: Book a table? Answer it? [Y]es, [n]o, [c]ancel: ",
      "  Your name (string): ",
      "  seats (integer, default 2): ",
      "  smoking (boolean): ",
      "  room (inside | garden): ",
      "  extras (cake | wine, one or more, separated by commas, optional): ",
    ]);
  });

  it("an empty line is the default, or leaves out what is optional", async () => {
    const { answer } = await play(FORM, ["", "Ada", "", "true", "inside", ""]);
    expect(answer.content).toEqual({ name: "Ada", seats: 2, smoking: true, room: "inside" });
  });

  it("an answer that is not of its type is asked for again", async () => {
    const { answer, questions } = await play(FORM, [
      "y",
      "Ada",
      "many",
      "",
      "3",
      "y",
      "roof",
      "",
      "inside",
      "",
    ]);
    expect(answer.content).toEqual({ name: "Ada", seats: 3, smoking: true, room: "inside" });
    expect(questions).toContain('  Wanted: integer, not "many". Enter to try again: ');
    expect(questions).toContain('  Wanted: one of inside, garden, not "roof". Enter to try again: ');
  });

  it.each([
    [["n"], "decline"],
    [["nope"], "decline"],
    [["c"], "cancel"],
    [[undefined], "cancel"],
    [["y", undefined], "cancel"],
    [["y", "Ada", "many", undefined], "cancel"],
  ])("%j: nothing is sent but %s", async (answers, action) => {
    expect((await play(FORM, answers)).answer).toEqual({ action });
  });

  it("what the server says reaches the terminal escaped", async () => {
    const hostile = "\u001b[2Jevil";
    const properties = { [hostile]: { description: hostile, enum: [hostile] } };
    const { questions } = await play({ message: hostile, requestedSchema: { properties } }, [
      "y",
      "x",
      undefined,
    ]);
    expect(questions.join("")).not.toContain("\u001b");
    expect(questions.join("").match(/u001b\[2Jevil/g)?.length).toBeGreaterThan(3);
  });
});

describe("an address", () => {
  const asked: Elicitation = { mode: "url", message: "Sign in", url: "https://example.com/\u001b" };
  it("is shown, never opened, and its visit is the user's word", async () => {
    const { answer, questions } = await play(asked, ["y"]);
    expect(answer).toEqual({ action: "accept" });
    expect(questions[0]).toContain(String.raw`https://example.com/\u001b`);
  });
});

it("questions that come at once are asked one after the other", async () => {
  const open: ((answer: string) => void)[] = [];
  const answer = answering(() => new Promise((resolve) => open.push(resolve)), new AbortController().signal);
  const both = Promise.all([answer({ message: "one" }), answer({ message: "two" })]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(open).toHaveLength(1);
  open[0]?.("n");
  while (open.length < 2) await new Promise((resolve) => setImmediate(resolve));
  open[1]?.("y");
  expect(await both).toEqual([{ action: "decline" }, { action: "accept", content: {} }]);
});
