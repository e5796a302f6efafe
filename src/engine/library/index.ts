/**
 * The engine as objects for programs: `run` for one command, `Container` for one that stays. It refuses
 * to know more than the engine's functions: each method is one of them. Start with run.ts.
 */
export { backups } from "./backups.ts";
export {
  type CommitChoice,
  Container,
  type CreateOptions,
  create,
  type ExecCommandOptions,
  type ExecResult,
  type ExitResult,
  type LogLine,
  list,
  open,
} from "./container.ts";
export { events } from "./events.ts";
export { images, type PullChoice } from "./images.ts";
export { info } from "./info.ts";
export type { StoreOptions } from "./options.ts";
export type { InputChoice, OutputChoice } from "./output.ts";
export { type RunOptions, type RunResult, run } from "./run.ts";
export { volumes } from "./volumes.ts";
