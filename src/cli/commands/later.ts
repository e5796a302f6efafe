import { TsrunError } from "../../base/errors.ts";

export function run(): void {
  throw new TsrunError("UNSUPPORTED", "this command is being written");
}
