import { hasErrno, TsrunError } from "../../base/errors.ts";
import { parseSignal } from "../../base/signal.ts";
import type { CommandModule } from "../command.ts";
import { checkLifecycle } from "../lifecycle.ts";
import { type ContainerRecord, readRecord } from "../records.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = async ({ flags, operands }, { root }) => {
  const [id = "", name = "TERM"] = operands;
  const record = readRecord(root, id);
  const signal = signalNumber(name);
  const status = readStatus(root, record);
  if (flags.flag("all")) {
    const { signalAll } = await import("../signal-all.ts");
    await signalAll(record, signal);
    return 0;
  }
  checkLifecycle("kill", status);
  signalInit(record, signal);
  // Whoever is frozen dies only when it is thawed; with cgroup v2 SIGKILL alone does it.
  return 0;
};

/** 0 only asks, which parseSignal does not know. */
function signalNumber(text: string): number {
  if (text === "0") return 0;
  try {
    return parseSignal(text);
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error;
    const message = /^\d+$/.test(text)
      ? "unable to signal init: invalid argument"
      : `unknown signal ${JSON.stringify(text)}`;
    throw new TsrunError("INVALID_ARGUMENT", message, { cause: error });
  }
}

/** Its identity was just looked at; a pid is not used anew before its parent has collected it. */
function signalInit({ init }: ContainerRecord, signal: number): void {
  if (!init) throw new TsrunError("WRONG_STATE", "container not running");
  try {
    process.kill(init.pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
    throw new TsrunError("WRONG_STATE", "container not running", { cause: error });
  }
}
