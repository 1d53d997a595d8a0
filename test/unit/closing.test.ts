/** What a session believes of the words with which a WebSocket is closed, or acknowledges. */
import { expect, it } from "vitest";
import { parseClose, parseSeq } from "../../src/sse/control.ts";

it.each([
  ["client 3", { reason: "client", seq: 3 }],
  ["replaced", { reason: "replaced", seq: undefined }],
  ["done 0", { reason: "done", seq: 0 }],
  ["", { reason: undefined, seq: undefined }],
  ["EVIL 3", { reason: undefined, seq: undefined }],
  ["WebSocket disconnected without sending Close frame.", { reason: undefined, seq: undefined }],
  ["client -1", { reason: "client", seq: undefined }],
  ["client 1e9", { reason: "client", seq: undefined }],
  ["client NaN", { reason: "client", seq: undefined }],
  ["client 9999999999999999", { reason: "client", seq: undefined }],
])("%j closes with %j", (text, expected) => {
  expect(parseClose(text)).toEqual(expected);
});

it.each([
  ["7", 7],
  ["", undefined],
  [undefined, undefined],
  [" 7", undefined],
  ["7.5", undefined],
])("%j is the place %j", (text, expected) => {
  expect(parseSeq(text)).toBe(expected);
});
