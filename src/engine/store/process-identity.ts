export { isProcessAlive, readProcessIdentity } from "../../base/process-identity.ts";
export { openProcess, waitForEnd } from "../../runtime/index.ts";
