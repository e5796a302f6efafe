/**
 * Every command of tsrun, once. The parser, help, tsrun(1) and the shell completions are made from this
 * table; a command's code is loaded when it is typed.
 */

import { BACKUP_COMMANDS } from "./table/backup-commands.ts";
import { BUILD_COMMANDS } from "./table/build-commands.ts";
import { CHANGE_COMMANDS } from "./table/change-commands.ts";
import { IMAGE_COMMANDS } from "./table/image-commands.ts";
import { LOOK_COMMANDS } from "./table/look-commands.ts";
import { REGISTRY_COMMANDS } from "./table/registry-commands.ts";
import { RUN_COMMANDS } from "./table/run-commands.ts";
import { SNAPSHOT_COMMANDS } from "./table/snapshot-commands.ts";
import { SYSTEM_COMMANDS } from "./table/system-commands.ts";
import type { CommandSpec } from "./table/types.ts";
import { VOLUME_COMMANDS } from "./table/volume-commands.ts";

export const COMMANDS: readonly CommandSpec[] = [
  ...RUN_COMMANDS,
  ...CHANGE_COMMANDS,
  ...SNAPSHOT_COMMANDS,
  ...LOOK_COMMANDS,
  ...REGISTRY_COMMANDS,
  ...BUILD_COMMANDS,
  ...IMAGE_COMMANDS,
  ...VOLUME_COMMANDS,
  ...BACKUP_COMMANDS,
  ...SYSTEM_COMMANDS,
];
