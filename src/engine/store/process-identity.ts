export {
  isProcessAlive,
  openProcess,
  readProcessIdentity,
  waitForEnd,
} from "../../runtime/index.ts";
