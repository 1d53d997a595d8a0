import { HOSTS } from "./hosts.ts";
import { createHttp } from "./http.ts";
import { openClient } from "./client.ts";
import { noFaults } from "./account.ts";
import { settingsFor } from "./plan.ts";
const host = HOSTS.find((h) => h.name === "workerd")!;
const server = await host.start(settingsFor(60));
const t0 = Date.now();
const say = (t: string) => console.log(((Date.now() - t0) / 1000).toFixed(1), t.slice(0, 300));
const faults = noFaults(say);
const http = createHttp(`${server.url}/mcp`);
const aborted = new Map<string, number>();
const counts: Record<string, number> = {};
const world = {
  http,
  faults,
  up: async () => {},
  watch: (s: string) => {
    const b = aborted.get(s) ?? 0;
    return () => (aborted.get(s) ?? 0) > b || (aborted.get(s) ?? 0) % 2 === 1;
  },
  cuts: () => cuts,
  count: (w: string) => void (counts[w] = (counts[w] ?? 0) + 1),
};
const minutes = Number(process.argv[2] ?? 2);
const until = Date.now() + minutes * 60_000;
let aborts = 0;
let cuts = 0;
const cutEvery = Number(process.argv[4] ?? 0);
if (cutEvery > 0)
  setInterval(() => {
    cuts++;
    http.cutAll();
  }, cutEvery);
const one = async () => {
  const client = await openClient(world as never);
  let over = false;
  const calling = (async () => {
    while (Date.now() < until) {
      const r = Math.random();
      await client.call({
        on: r < 0.3 ? "quick" : r < 0.5 ? "request" : r < 0.7 ? "progress" : "standalone",
        count: 1 + Math.floor(Math.random() * 40),
        everyMs: Math.random() < 0.5 ? 0 : 1 + Math.floor(Math.random() * 20),
        dropsAfter: Math.random() < 0.15 ? 1 + Math.floor(Math.random() * 10) : undefined,
      });
    }
    over = true;
  })();
  const dropping = (async () => {
    while (!over) {
      await new Promise((r) => setTimeout(r, Math.random() * 400));
      if (Math.random() < 0.5) client.drop();
      else client.stall(Math.floor(Math.random() * 3000));
    }
  })();
  void dropping;
  while (!over) {
    await new Promise((r) => setTimeout(r, Math.random() * Number(process.argv[3] ?? 600)));
    const again = () => void aborted.set(client.session, (aborted.get(client.session) ?? 0) + 1);
    again();
    await server.abort!(client.session).catch(() => {});
    again();
    aborts++;
  }
  await calling;
};
let looks = 0;
const looking = (async () => {
  const every = Number(process.argv[5] ?? 0);
  while (every > 0 && Date.now() < until) {
    await new Promise((r) => setTimeout(r, every));
    await server.memory();
    looks++;
  }
})();
void looking;
const tick = setInterval(
  () =>
    say(
      `looks ${looks} aborts ${aborts} ${JSON.stringify(counts)} hung ${faults.hung} wrong ${faults.wrong} lost ${faults.lost} twice ${faults.twice}`,
    ),
  10_000,
);
await Promise.all(Array.from({ length: 24 }, one));
clearInterval(tick);
say(
  `END aborts ${aborts} ${JSON.stringify(counts)} hung ${faults.hung} wrong ${faults.wrong} lost ${faults.lost} twice ${faults.twice}`,
);
await server.close();
process.exit(0);
