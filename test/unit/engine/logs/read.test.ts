import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ReadLogsOptions, readLogs } from "../../../../src/engine/logs/index.ts";

const SECOND = 1_000_000_000n;
const START = 1_767_225_600n * SECOND; // 2026-01-01

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tsrun-logs-"));
  path = join(dir, "container.log");
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Records as the supervisor writes them: line N is of second N; "+" at its end makes it a piece. */
function records(...lines: readonly (number | string)[]): string {
  return lines
    .map((line) => {
      const [text = "", piece] = String(line).split(/(\+)$/);
      const time = new Date(
        Number((START + BigInt(Number.parseInt(text, 10)) * SECOND) / 1_000_000n),
      );
      const stamp = time.toISOString().replace(/\.\d+Z/, ".000000000Z");
      return `${stamp} stdout ${piece ? "P" : "F"} ${text}\n`;
    })
    .join("");
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

async function read(options: Partial<ReadLogsOptions> = {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text, partial } of readLogs({ path, ...options })) {
    texts.push(`${text}${partial ? "+" : ""}`);
  }
  return texts;
}

/** How many of our descriptors are files below a directory. */
function openBelow(directory: string): number {
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // the descriptor of the listing itself
    }
  });
  return targets.filter((target) => target.startsWith(directory)).length;
}

const texts = (...lines: readonly (number | string)[]) => lines.map(String);

describe("readLogs", () => {
  it("finds no log empty", async () => {
    assert.deepEqual(await read(), []);
    assert.deepEqual(await read({ tail: 5 }), []);
    writeFileSync(path, "");
    assert.deepEqual(await read(), []);
    assert.deepEqual(await read({ tail: 5 }), []);
  });

  it("goes through rotated files, oldest first", async () => {
    writeFileSync(`${path}.2`, records(1, 2));
    writeFileSync(`${path}.1`, records(3, 4));
    writeFileSync(path, records(5));
    assert.deepEqual(await read(), texts(1, 2, 3, 4, 5));
  });

  it("finds each file once in the middle of a rotation", async () => {
    writeFileSync(`${path}.3`, records(1)); // .2 has just become .3
    writeFileSync(`${path}.1`, records(2));
    linkSync(`${path}.1`, path); // the supervisor links before it renames
    assert.deepEqual(await read(), texts(1, 2));
  });

  it("skips what a crash tore and leaves an unfinished record for later", async () => {
    writeFileSync(path, `${records(1)}2026-01-01T0\n${records(2)}2026-01-01T00:00:03`);
    assert.deepEqual(await read(), texts(1, 2));
  });

  it("reads files many times larger than its block, and lines longer than it", async () => {
    const long = `7${"x".repeat(300_000)}`;
    writeFileSync(path, records(...range(1, 20_000), long, 8));
    const read_ = await read();
    assert.deepEqual(read_.slice(0, 20_000), texts(...range(1, 20_000)));
    assert.deepEqual(read_.slice(20_000), [long, "8"]);
    assert.deepEqual(await read({ tail: 2 }), [long, "8"]);
  });

  it("does not follow a symlink in the log's place", async () => {
    writeFileSync(join(dir, "secret"), records(1));
    symlinkSync(join(dir, "secret"), path);
    await assert.rejects(read(), { code: "STORE_UNAVAILABLE", errno: "ELOOP" });
  });

  it("is aborted by its signal", async () => {
    writeFileSync(path, records(1));
    await assert.rejects(read({ signal: AbortSignal.abort() }), { code: "ABORTED" });
  });
});

describe("readLogs with a range of time", () => {
  beforeEach(() => {
    writeFileSync(`${path}.1`, records(1, 2, 3));
    writeFileSync(path, records(4, 5, 6));
  });
  const at = (second: number) => START + BigInt(second) * SECOND;
  const table: readonly (readonly [Partial<ReadLogsOptions>, string[]])[] = [
    [{ since: at(3) }, texts(3, 4, 5, 6)],
    [{ since: at(3) + 1n }, texts(4, 5, 6)],
    [{ until: at(4) }, texts(1, 2, 3, 4)],
    [{ until: at(4) - 1n }, texts(1, 2, 3)],
    [{ since: at(2), until: at(5) }, texts(2, 3, 4, 5)],
    [{ since: at(9) }, []],
    [{ until: at(0) }, []],
    [{ tail: 2, until: at(4) }, texts(3, 4)],
    [{ tail: 2, since: at(6) }, texts(6)],
    [{ tail: 9, since: at(2), until: at(3) }, texts(2, 3)],
  ];
  for (const [options, expected] of table) {
    const shown = Object.entries(options).map(([name, value]) => `${name} ${value}`);
    it(`keeps ${shown.join(", ")}`, async () => assert.deepEqual(await read(options), expected));
  }
});

describe("readLogs with a tail", () => {
  it("counts lines back through the files", async () => {
    writeFileSync(`${path}.2`, records(...range(1, 100)));
    writeFileSync(`${path}.1`, records(...range(101, 9000)));
    writeFileSync(path, records(...range(9001, 9003)));
    for (const tail of [0, 1, 2, 3, 4, 1000, 8902, 8903, 8904, 9003, 9004, 100_000]) {
      const expected = tail === 0 ? [] : texts(...range(1, 9003)).slice(-tail);
      assert.deepEqual(await read({ tail }), expected, `tail ${tail}`);
    }
  });

  it("counts the pieces of a line as one, and one that is not finished too", async () => {
    writeFileSync(path, records(1, "2+", "2+", 2, 3, "4+", "4+"));
    assert.deepEqual(await read({ tail: 1 }), texts("4+", "4+"));
    assert.deepEqual(await read({ tail: 2 }), texts(3, "4+", "4+"));
    assert.deepEqual(await read({ tail: 3 }), texts("2+", "2+", 2, 3, "4+", "4+"));
  });

  it("does not count what is no record", async () => {
    writeFileSync(path, `${records(1, 2)}torn\n${records(3)}half`);
    assert.deepEqual(await read({ tail: 2 }), texts(2, 3));
  });
});

describe("readLogs that follows", () => {
  function follow(options: Partial<ReadLogsOptions> = {}) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const seen: string[] = [];
    const done = (async () => {
      for await (const { text } of readLogs({ path, follow: { ended: promise }, ...options })) {
        seen.push(String(text));
      }
    })();
    const shows = async (count: number) => {
      for (let waited = 0; seen.length < count && waited < 5000; waited += 5) await sleep(5);
      assert.equal(seen.length, count, `saw ${seen.slice(-5)}`);
    };
    return { seen, done, shows, end: resolve, fail: reject };
  }

  it("sees what is added, and ends when the container has, after the last record", async () => {
    writeFileSync(path, records(1));
    const { seen, done, shows, end } = follow();
    await shows(1);
    appendFileSync(path, records(2, 3));
    await shows(3);
    appendFileSync(path, records(4));
    end();
    await done;
    assert.deepEqual(seen, texts(1, 2, 3, 4));
  });

  it("waits for a log that is not there yet", async () => {
    const { done, shows, end } = follow();
    await sleep(20);
    writeFileSync(path, records(1));
    await shows(1);
    end();
    await done;
  });

  it("ends as well when the end is told by a rejection", async () => {
    writeFileSync(path, records(1));
    const { seen, done, fail } = follow();
    fail(new Error("the supervisor was killed"));
    await done;
    assert.deepEqual(seen, ["1"]);
  });

  it("reads the rest of a rotated file first, though several rotations have passed", async () => {
    writeFileSync(path, records(1));
    const { seen, done, shows, end } = follow();
    await shows(1);
    appendFileSync(path, records(2));
    renameSync(path, `${path}.3`);
    writeFileSync(`${path}.2`, records(3));
    writeFileSync(`${path}.1`, records(4));
    writeFileSync(path, records(5));
    await shows(5);
    appendFileSync(path, records(6));
    end();
    await done;
    assert.deepEqual(seen, texts(1, 2, 3, 4, 5, 6));
  });

  it("goes on with what there is when its file has been thrown away", async () => {
    writeFileSync(path, records(1));
    const { seen, done, shows, end } = follow();
    await shows(1);
    rmSync(path);
    writeFileSync(`${path}.1`, records(7));
    writeFileSync(path, records(8));
    await shows(3);
    end();
    await done;
    assert.deepEqual(seen, texts(1, 7, 8));
  });

  it("shows a record when it is whole, though a torn one was cut away under it", async () => {
    const whole = records(1);
    writeFileSync(path, whole);
    const { seen, done, shows, end } = follow();
    await shows(1);
    appendFileSync(path, "2026-01-01T00:00:09.000000000Z stdout F to");
    await sleep(30);
    const fd = openSync(path, "r+");
    ftruncateSync(fd, whole.length);
    closeSync(fd);
    appendFileSync(path, records(2).slice(0, 20));
    await sleep(30);
    appendFileSync(path, records(2).slice(20));
    await shows(2);
    end();
    await done;
    assert.deepEqual(seen, texts(1, 2));
  });

  it("begins with a tail", async () => {
    writeFileSync(`${path}.1`, records(1, 2));
    writeFileSync(path, records(3));
    const { seen, done, shows, end } = follow({ tail: 2 });
    await shows(2);
    appendFileSync(path, records(4));
    await shows(3);
    end();
    await done;
    assert.deepEqual(seen, texts(2, 3, 4));
  });

  it("ends with the range of time, before the container does", async () => {
    writeFileSync(path, records(1));
    const { seen, done, shows } = follow({ until: START + 2n * SECOND });
    await done; // that time has long passed
    assert.deepEqual(seen, ["1"]);
    await shows(1);
    const future = BigInt(Date.now() + 3_600_000) * 1_000_000n;
    const other = follow({ until: future });
    await other.shows(1);
    appendFileSync(path, records(Number((future - START) / SECOND) + 10));
    await other.done;
    assert.deepEqual(other.seen, ["1"]);
  });

  it("is aborted while it waits", async () => {
    writeFileSync(path, records(1));
    const abort = new AbortController();
    const { done, shows } = follow({ signal: abort.signal });
    await shows(1);
    abort.abort(new Error("enough"));
    await assert.rejects(done, { code: "ABORTED" });
  });

  it("closes its files when the reader leaves early", async () => {
    writeFileSync(`${path}.1`, records(1));
    writeFileSync(path, records(2));
    for await (const record of readLogs({ path, follow: { ended: new Promise(() => {}) } })) {
      assert.equal(String(record.text), "1");
      assert.ok(openBelow(dir) > 0);
      break;
    }
    assert.equal(openBelow(dir), 0);
  });
});
