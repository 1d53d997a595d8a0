/** The behaviour suite: one set of tests for every host. @module */
import { describeBeside } from "../support/beside.ts";
import type { Subject } from "../support/subject.ts";
import { testOperations } from "./operations.ts";
import { testOrigin } from "./origin.ts";
import { testPosts } from "./posts.ts";
import { testSessions } from "./sessions.ts";
import { testSessionless } from "./sessionless.ts";
import { testCalls } from "./calls.ts";
import { testKeepalive } from "./keepalive.ts";
import { testBodies } from "./bodies.ts";
import { testBounds } from "./bounds.ts";
import { testQuirks } from "./quirks.ts";
import { testResume } from "./resume.ts";
import { testRoom } from "./room.ts";
import { testDisconnects } from "./disconnects.ts";
import { testEvents } from "./events.ts";
import { testHeartbeats } from "./heartbeats.ts";
import { testHttpSse } from "./http-sse.ts";
import { testOptions } from "./options.ts";
import { testSdkClients } from "./sdk-clients.ts";
import { testStandalone } from "./standalone.ts";
import { testStatus } from "./status.ts";

/** Of the suite, about as long each. */
const LANES = [
  [
    testStatus,
    testOrigin,
    testOperations,
    testSessions,
    testSessionless,
    testPosts,
    testStandalone,
    testResume,
    testBounds,
    testBodies,
    testRoom,
    testCalls,
  ],
  [
    testKeepalive,
    testHeartbeats,
    testDisconnects,
    testEvents,
    testHttpSse,
    testOptions,
    testQuirks,
    testSdkClients,
  ],
];

/** The lanes run beside each other, since half of what they do is wait. They share no server: to `serve` each is a subject of its own. */
export function testBehaviour(subject: Subject): void {
  const lanes = LANES.map((tests, index) => ({ tests, lane: index + 1, own: { ...subject } }));
  describeBeside(lanes, `${subject.name}, lane $lane`, ({ tests, own }) => {
    for (const test of tests) test(own);
  });
}
