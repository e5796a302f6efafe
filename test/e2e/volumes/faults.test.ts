// @private
/**
 * kill -9 at every step of what makes and removes volumes.
 */
import { createVolume } from "../../../src/engine/index.ts";
import { NAME } from "../../support/faults.ts";
import { clean, createWith, runs, strikeVolumes, VOLUME } from "./struck.ts";

const nothing = () => Promise.resolve();
const MOUNTS = ["-v", `${VOLUME}:/bin`, "-v", "/d"];

strikeVolumes({
  "volume create": {
    given: nothing,
    command: ["volume", "create", VOLUME],
    afterwards: nothing,
    clean,
  },
  "volume rm": {
    given: (engine) => createVolume(engine, { name: VOLUME }),
    command: ["volume", "rm", VOLUME],
    afterwards: nothing,
    clean,
  },
  "create with a volume that has a name and one that has none": {
    given: nothing,
    command: ["create", "--name", NAME, ...MOUNTS, "busybox", "ls", "/bin/ls"],
    afterwards: runs,
    clean,
  },
  "rm -v": {
    given: (engine) => createWith(engine, {}),
    command: ["rm", "-v", NAME],
    afterwards: runs,
    clean,
  },
});
