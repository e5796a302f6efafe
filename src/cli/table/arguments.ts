/** The operands that several commands have. */
import type { ArgumentSpec } from "./types.ts";

export const CONTAINER: ArgumentSpec = {
  name: "CONTAINER",
  required: true,
  variadic: false,
  completion: "containers",
};
export const RUNNING: ArgumentSpec = { ...CONTAINER, completion: "running" };
/** One or more; with --all none. */
export const CONTAINERS: ArgumentSpec = { ...CONTAINER, required: false, variadic: true };
export const RUNNING_ONES: ArgumentSpec = { ...CONTAINERS, completion: "running" };
export const IMAGE: ArgumentSpec = {
  name: "IMAGE",
  required: true,
  variadic: false,
  completion: "images",
};
export const NEW_CONTAINER: readonly ArgumentSpec[] = [
  { ...IMAGE, required: false },
  { name: "COMMAND", required: false, variadic: true },
];
