/**
 * A command under the real supervisor (tsrun-stage with a relay plan), without namespaces: its log,
 * socket, journal and exit record in a directory of its own.
 */
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AttachStream, attachTo, connectAttach } from "../../../src/engine/attach/index.ts";
import { readExitRecord } from "../../../src/engine/exit-record.ts";
import {
  type LogRecord,
  type ReadLogsOptions,
  readLogBatches,
} from "../../../src/engine/logs/index.ts";
import type { ExitRecord } from "../../../src/engine/records.ts";
import { socketpair } from "../../../src/ffi/index.ts";
import { type Op, type RelayPlan, SLOT_CWD, type Slot } from "../../../src/plan/index.ts";
import { buildStage, exec, isGone, killNow, plan, planned, Stage } from "../../native/stage.ts";

buildStage();

export interface SupervisedOptions {
  readonly tty?: boolean;
  readonly stdin?: RelayPlan["stdin"];
  readonly log?: { maxSizeBytes?: number; maxFiles?: number; path?: string };
  /** Attached before the command runs: no byte of its output is missed. */
  readonly client?: boolean;
  readonly exitDrainMs?: number;
  readonly socketDir?: string;
  /** Directory of the cgroup that the command is born in; its memory.events are watched. */
  readonly cgroup?: string;
}

const DEVPTS = 0 as Slot;
const SLAVE = 1 as Slot;
const CGROUP = 2 as Slot;
const O_DIRECTORY = 0o200000;

export class Supervised implements AsyncDisposable {
  readonly dir: string;
  readonly stage: Stage;
  readonly logPath: string;
  readonly socketDir: string;
  /** The client that was there from the start. */
  readonly client: AttachStream | undefined;
  /** The command's pid, once it runs. */
  readonly running: Promise<number>;
  readonly ended: Promise<ExitRecord>;

  constructor(argv: readonly string[], options: SupervisedOptions = {}) {
    this.dir = mkdtempSync(join(tmpdir(), "tsrun-relay-"));
    this.logPath = options.log?.path ?? join(this.dir, "container.log");
    this.socketDir = options.socketDir ?? this.dir;
    const pair = options.client ? socketpair() : undefined;
    this.stage = Stage.start(
      plan([...cgroupOps(options), ...terminalOps(options), exec(...argv)], {
        supervision: { relay: this.#relay(options) },
        ...(options.cgroup ? { cgroupSlot: CGROUP } : {}),
      }),
      pair === undefined ? {} : { client: pair[1] },
    );
    if (pair !== undefined) closeSync(pair[1]);
    this.client = pair && attachTo(pair[0]);
    this.running = this.stage.next("running").then((report) => report?.value ?? -1);
    this.ended = this.#wait();
    this.ended.catch(() => {}); // awaited in any case, by asyncDispose
  }

  /** Another client, through the socket. */
  async attach(): Promise<AttachStream> {
    await this.running;
    return connectAttach(this.socketDir, "attach.sock");
  }

  /** The log's records so far, or with `follow` all of them. */
  async records(options: Partial<ReadLogsOptions> & { follow?: never } = {}): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for await (const batch of readLogBatches({ path: this.logPath, ...options })) {
      for (const record of batch) records.push(record);
    }
    return records;
  }

  journal(): Record<string, unknown>[] {
    const text = readFileSync(join(this.dir, "journal"), "utf8");
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The supervisor is gone after this, whatever it did; the command dies with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!isGone(this.stage.pid)) killNow(this.stage.pid);
    await this.ended.catch(() => {}); // a test that cares has looked
    this.client?.detach();
    this.stage[Symbol.dispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #wait(): Promise<ExitRecord> {
    await this.running; // two waits on one descriptor at once are one too many
    while (await this.stage.next());
    await this.stage.end();
    const failed = this.stage.reports.find(({ kind }) => kind === "failed");
    if (failed) throw new Error(`the launch failed with errno ${failed.error}`);
    const record = readExitRecord(join(this.dir, "exit.json"));
    if (!record) throw new Error(`no exit record among ${readdirSync(this.dir)}`);
    return record;
  }

  #relay(options: SupervisedOptions): RelayPlan {
    return {
      tty: options.tty ?? false,
      rows: 24,
      cols: 80,
      stdin: options.stdin ?? "closed",
      firstClient: options.client ?? false,
      log: {
        path: this.logPath,
        maxSizeBytes: options.log?.maxSizeBytes ?? 0,
        maxFiles: options.log?.maxFiles ?? 0,
      },
      socket: { dir: this.socketDir, name: "attach.sock" },
      exitRecordPath: join(this.dir, "exit.json"),
      journal: { path: join(this.dir, "journal"), head: '{"id":"test"' },
      exitDrainMs: options.exitDrainMs ?? 300,
      ...(options.cgroup ? { memoryEventsPath: join(options.cgroup, "memory.events") } : {}),
    };
  }
}

function cgroupOps({ cgroup }: SupervisedOptions) {
  if (cgroup === undefined) return [];
  const open: Op = { kind: "open", path: cgroup, dir: SLOT_CWD, flags: O_DIRECTORY, out: CGROUP };
  return [planned("host", open)];
}

function terminalOps({ tty }: SupervisedOptions) {
  if (!tty) return [];
  const ops: Op[] = [
    { kind: "open", path: "/dev/pts", dir: SLOT_CWD, flags: O_DIRECTORY, out: DEVPTS },
    {
      kind: "openPty",
      devpts: DEVPTS,
      rows: 24,
      cols: 80,
      out: SLAVE,
      socket: SLOT_CWD,
      message: "",
    },
    { kind: "setsid" },
    { kind: "stdioPty", slave: SLAVE },
  ];
  return ops.map((op) => planned("child", op));
}

export async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
