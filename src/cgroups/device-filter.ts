import { closeSync, constants, openSync } from "node:fs";
import {
  BPF_F_ALLOW_MULTI,
  bpfProgAttach,
  bpfProgDetach,
  bpfProgLoad,
  bpfProgOpen,
  bpfProgQuery,
} from "../ffi/index.ts";
import { DEVICE_PROGRAM } from "./plan-device-filter.ts";

/**
 * Puts a device filter in the place of the one that a running container has; undefined takes it
 * away. The exchange is atomic: at no moment is there none. bpf(2).
 */
export function writeDeviceFilter(directory: string, instructions: Uint8Array | undefined): void {
  const { type, attachType } = DEVICE_PROGRAM;
  const targetFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const attachment = { targetFd, attachType };
    const [old] = bpfProgQuery(attachment);
    withDescriptor(old === undefined ? undefined : bpfProgOpen(old), (replaceFd) => {
      if (!instructions) {
        if (replaceFd !== undefined) bpfProgDetach(attachment, replaceFd);
        return;
      }
      withDescriptor(bpfProgLoad({ type, instructions, name: "tsrun_devices" }), (program) => {
        if (program === undefined) return;
        const replace = replaceFd === undefined ? {} : { replaceFd };
        bpfProgAttach(attachment, program, { flags: BPF_F_ALLOW_MULTI, ...replace });
      });
    });
  } finally {
    closeSync(targetFd);
  }
}

function withDescriptor(
  descriptor: number | undefined,
  use: (descriptor: number | undefined) => void,
): void {
  try {
    use(descriptor);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
