import { UndoStack } from "../../base/undo.ts";
import { exitStatusCode } from "../../runtime/index.ts";
import { readBundle } from "../bundle.ts";
import type { CommandModule, GlobalOptions } from "../command.ts";
import { uselessConsole } from "../console.ts";
import { type CreatedContainer, createContainer, createOptions } from "../create.ts";
import { processFailure } from "../failure.ts";
import { runHooksBestEffort } from "../hooks.ts";
import { type Notices, openNotices } from "../notify.ts";
import { containerPaths } from "../records.ts";
import { deleteContainer } from "../remove.ts";
import { startContainer } from "../start.ts";
import { composeState } from "../state.ts";

export const run: CommandModule["run"] = async ({ flags, operands: [id = ""] }, globals) => {
  if (flags.flag("detach")) {
    const { record } = await createContainer(id, createOptions(flags, false), globals);
    try {
      await startContainer(record, globals);
    } catch (error) {
      await deleteContainer(record, { force: true }, globals);
      throw error;
    }
    return 0;
  }
  if (flags.value("console-socket") !== undefined) throw uselessConsole();
  const { inForeground } = await import("../foreground.ts");
  const options = createOptions(flags, true);
  const { process: program } = readBundle(options.bundle).spec;
  let created: CreatedContainer | undefined;
  await using ends = new UndoStack();
  try {
    const status = await inForeground(program.terminal ?? false, async (console) => {
      // The bundle is the working directory by now.
      created = await createContainer(id, { ...options, bundle: undefined, console }, globals);
      const { launched, spec } = created;
      try {
        const notices = openNotices(containerPaths(globals.root, id));
        ends.defer(() => notices?.[Symbol.dispose]());
        await goOn(created, globals);
        if (notices) passReady(notices, ends, globals);
      } catch (error) {
        throw processFailure(error, spec.process);
      }
      return launched;
    });
    return exitStatusCode(status);
  } finally {
    if (created && !flags.flag("keep")) {
      await deleteContainer(created.record, { force: true }, globals);
    }
  }
};

/** Meanwhile we stay the service's main process. */
function passReady(notices: Notices, ends: UndoStack, { warn }: GlobalOptions): void {
  const over = new AbortController();
  const passed = notices.passReady({ signal: over.signal }).catch((error: unknown) => {
    warn(`cannot tell that the container is ready: ${(error as Error).message}`);
  });
  ends.defer(async () => {
    over.abort();
    await passed;
  });
}

async function goOn({ record, launched }: CreatedContainer, globals: GlobalOptions): Promise<void> {
  const { hooks, init, cgroup } = record;
  if (hooks?.startContainer?.length && init) {
    const { runHooks } = await import("../hooks.ts");
    const state = composeState(record, "created");
    const seen = record.ownPidNamespace ? { ...state, pid: 1 } : state;
    const place = { kind: "container", pid: init.pid, cgroup } as const;
    await runHooks("startContainer", hooks.startContainer, seen, place);
  }
  launched.release();
  await launched.running;
  const state = composeState(record, "running");
  await runHooksBestEffort("poststart", hooks?.poststart, state, globals.warn);
}
