/**
 * Runs a program with parts of a launch plan and nothing else around it: what the container sees
 * comes from the part under test.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMESPACE_KINDS } from "../../src/namespaces/index.ts";
import {
  type LaunchPlan,
  PHASES,
  type PlannedOp,
  SLOT_CWD,
  type Slot,
} from "../../src/plan/index.ts";
import type { ExitStatus } from "../../src/runtime/exit-status.ts";
import { type Launch, launch } from "../../src/runtime/launch.ts";

export interface PlanParts {
  readonly ops?: readonly PlannedOp[];
  readonly cloneFlags?: number;
  readonly cgroupSlot?: Slot;
  /** Descriptors that become the first slots. */
  readonly inherit?: readonly number[];
  readonly fault?: LaunchPlan["fault"];
}

export interface PlanResult {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs; `end` waits for its exit and collects what it wrote. */
export interface RunningPlan {
  readonly launch: Launch;
  readonly pid: number;
  readonly end: () => Promise<PlanResult>;
}

/** Starts `argv` (an absolute path first) after the ops. Throws what the launch meets. */
export async function startPlan(parts: PlanParts, argv: readonly string[]): Promise<RunningPlan> {
  const dir = mkdtempSync(join(tmpdir(), "tsrun-test-plan-"));
  const files = ["stdin", "stdout", "stderr"].map((name) => join(dir, name));
  const fds = files.map((file) => openSync(file, "w+"));
  const stdio = fds as unknown as readonly [number, number, number];
  try {
    const started = launch(launchPlan(parts, argv), { stdio, inherit: parts.inherit ?? [] });
    const pid = await started.running;
    const end = async (): Promise<PlanResult> => {
      try {
        const status = await started.exited;
        const [, stdout = "", stderr = ""] = files.map((file) => readFileSync(file, "utf8"));
        return { status, stdout, stderr };
      } finally {
        rmSync(dir, { recursive: true });
      }
    };
    return { launch: started, pid, end };
  } catch (error) {
    rmSync(dir, { recursive: true });
    throw error;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** Runs `argv` to its end. */
export async function runPlan(parts: PlanParts, argv: readonly string[]): Promise<PlanResult> {
  const running = await startPlan(parts, argv);
  return running.end();
}

/** What `script` prints in the container, without the last newline. Throws where it fails. */
export async function shell(parts: PlanParts, script: string): Promise<string> {
  const { status, stdout, stderr } = await runPlan(parts, ["/bin/sh", "-ec", script]);
  if (status.kind !== "exited" || status.code !== 0) {
    throw new Error(`the script ended with ${JSON.stringify(status)}: ${stdout}${stderr}`);
  }
  return stdout.trimEnd();
}

function launchPlan(
  { ops = [], cloneFlags = 0, cgroupSlot = SLOT_CWD, inherit = [], fault }: PlanParts,
  argv: readonly string[],
): LaunchPlan {
  const exec: PlannedOp = {
    op: {
      kind: "exec",
      lists: { argv, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], candidates: [argv[0] ?? ""] },
    },
    phase: "child",
    origin: "process.args",
  };
  const teardown = ops.filter(({ phase }) => phase === "teardown");
  const before = ops.filter(({ phase }) => phase !== "teardown");
  return {
    ops: [...before.toSorted((a, b) => PHASES[a.phase] - PHASES[b.phase]), exec, ...teardown],
    cloneFlags,
    cgroupSlot,
    inheritedFds: inherit.length,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      // As in a real launch, wherever there are mounts of the container's own.
      holdMounts: (cloneFlags & NAMESPACE_KINDS.mount.flag) !== 0,
      timings: false,
    },
    ...(fault ? { fault } : {}),
  };
}
