// Drains jobs that do nothing with a queue on PostgreSQL and prints how many a second:
// node drain.mjs graphile-worker|graphile-worker-tuned|pg-boss|pg-boss-tuned <url> <jobs>
import { run, makeWorkerUtils } from "graphile-worker";
import PgBoss from "pg-boss";

const [queue, url, count] = process.argv.slice(2);
const jobs = Number(count);
/** As many jobs at once as the bench beside it has deliveries in flight. */
const AT_ONCE = 64;
/** Jobs taken in one statement by the tuned ones, as many as the service claims. */
const BATCH = 500;

/** Counts jobs down from `jobs`; `done` is resolved with the last one. */
function countdown() {
  let left = jobs;
  let finish;
  const done = new Promise((resolve) => (finish = resolve));
  return { done, tick: (by = 1) => (left -= by) === 0 && finish() };
}

const silent = { logger: () => () => {} };

async function graphile(tuned) {
  const { Logger } = await import("graphile-worker");
  const logger = new Logger(silent.logger);
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  await utils.withPgClient((client) =>
    client.query(
      `select count(*) from generate_series(1, $1::int) as n,
         lateral graphile_worker.add_job('nothing', json_build_object('number', n))`,
      [jobs],
    ),
  );
  const { done, tick } = countdown();
  const preset = tuned
    ? { worker: { localQueue: { size: BATCH }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
    : {};
  const start = performance.now();
  const runner = await run({
    preset,
    connectionString: url,
    logger,
    concurrency: AT_ONCE,
    maxPoolSize: 20,
    noHandleSignals: true,
    taskList: { nothing: async () => void tick() },
  });
  await done;
  const seconds = (performance.now() - start) / 1000;
  await runner.stop();
  await utils.release();
  return seconds;
}

async function boss(tuned) {
  const boss = new PgBoss({ connectionString: url, max: 20, supervise: false, schedule: false });
  await boss.start();
  await boss.createQueue("nothing");
  for (let from = 0; from < jobs; from += 1000) {
    const more = Math.min(1000, jobs - from);
    await boss.insert(
      Array.from({ length: more }, (_, n) => ({ name: "nothing", data: { number: from + n } })),
    );
  }
  const { done, tick } = countdown();
  const options = { batchSize: tuned ? BATCH : AT_ONCE, pollingIntervalSeconds: 0.5 };
  const workers = tuned ? 8 : 1;
  const start = performance.now();
  for (let worker = 0; worker < workers; worker += 1) {
    await boss.work("nothing", options, async (batch) => void tick(batch.length));
  }
  await done;
  const seconds = (performance.now() - start) / 1000;
  await boss.stop({ graceful: false, wait: false });
  return seconds;
}

const drains = {
  "graphile-worker": () => graphile(false),
  "graphile-worker-tuned": () => graphile(true),
  "pg-boss": () => boss(false),
  "pg-boss-tuned": () => boss(true),
};
if (!(queue in drains) || !(jobs > 0)) throw new Error("usage: see the first lines");
const seconds = await drains[queue]();
console.log((jobs / seconds).toFixed(1));
process.exit(0);
