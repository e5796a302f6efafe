// @private
/**
 * kill -9 at every step of a start that fills or mounts a volume.
 */
import { createVolume, type Engine } from "../../../src/engine/index.ts";
import { NAME, succeed } from "../../support/faults.ts";
import { clean, createWith, runs, strikeVolumes, VOLUME } from "./struck.ts";

const given = async (engine: Engine, options: Readonly<Record<string, string>> = {}) => {
  await createVolume(engine, { name: VOLUME, options });
  await createWith(engine, { name: VOLUME });
};

/** A start that was killed late has started it: that run ends first. */
async function settled(): Promise<void> {
  await succeed("stop", NAME);
  await runs();
}

const command = ["start", "-a", NAME];

strikeVolumes({
  "a start that fills a volume": { given, command, afterwards: settled, clean },
  "a start that mounts a tmpfs": {
    given: (engine) => given(engine, { type: "tmpfs" }),
    command,
    afterwards: settled,
    clean,
  },
});
