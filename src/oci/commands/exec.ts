import { exitStatusCode } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { uselessConsole } from "../console.ts";
import { composeProcess, execInContainer } from "../exec.ts";
import { readProcessRecord, readRecord } from "../records.ts";

export const run: CommandModule["run"] = async ({ flags, operands }, globals) => {
  const [id = "", ...args] = operands;
  const record = readRecord(globals.root, id);
  const process = composeProcess(flags, args, readProcessRecord(globals.root, id).process);
  const options = {
    pidFile: flags.value("pid-file"),
    preserveFds: flags.value("preserve-fds"),
    ignorePaused: flags.flag("ignore-paused"),
    cgroup: flags.list("cgroup").at(-1),
  };
  const path = flags.value("console-socket");
  if (flags.flag("detach")) {
    const console = { kind: "socket", path } as const;
    await execInContainer(record, process, { ...options, console, foreground: false }, globals);
    return 0;
  }
  if (path !== undefined) throw uselessConsole();
  const { inForeground } = await import("../foreground.ts");
  const status = await inForeground(process.terminal ?? false, (console) =>
    execInContainer(record, process, { ...options, console, foreground: true }, globals),
  );
  return exitStatusCode(status);
};
