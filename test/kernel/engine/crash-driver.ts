/**
 * One engine command as a process of its own, so that a test can kill it at any step (TSRUN_FAULT).
 * argv: ROOT RUN_ROOT CGROUP_PARENT ROOTFS VERB. Exit status 0 when the command got through.
 */

import { TsrunError } from "../../../src/base/errors.ts";
import {
  createContainer,
  execInContainer,
  openEngine,
  removeContainer,
  runContainer,
  startContainer,
  stopContainer,
} from "../../../src/engine/index.ts";

const [root = "", runRoot = "", cgroupParent = "", rootfs = "", verb = ""] = process.argv.slice(2);
const engine = openEngine({ root, runRoot });
const NAME = "subject";
const request = {
  rootfs,
  name: NAME,
  cgroupParent,
  command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"],
};

const VERBS: Readonly<Record<string, () => Promise<unknown>>> = {
  create: () => createContainer(engine, request),
  start: () => startContainer(engine, NAME),
  stop: () => stopContainer(engine, NAME, { timeoutSeconds: 5 }),
  remove: () => removeContainer(engine, NAME, { force: true }),
  exec: async () => {
    const session = await execInContainer(engine, NAME, { args: ["true"] });
    session.stdout?.resume();
    session.stderr?.resume();
    await session.exit;
  },
  run: async () => {
    const { attachment } = await runContainer(
      engine,
      { ...request, remove: true, command: ["true"] },
      { attach: { stdin: false } },
    );
    attachment?.stdout.resume();
    attachment?.stderr.resume();
    await attachment?.exit;
  },
};

try {
  await VERBS[verb]?.();
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = error instanceof TsrunError ? 1 : 2;
}
