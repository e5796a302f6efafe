/** What an unprivileged tsrun can do in the cgroup that was delegated to it: delegation.test.ts runs it. */
import { TsrunError } from "../../../src/base/errors.ts";
import { planCgroup, probeCgroups, readDefaultParent } from "../../../src/cgroups/index.ts";
import { SlotAllocator } from "../../../src/plan/index.ts";
import { runPlan } from "../../support/run-plan.ts";

const [, , delegated = "/"] = process.argv;
const say = (line: string) => process.stdout.write(`${line}\n`);

function plan(path: string) {
  const resources = { pids: { limit: 7 } };
  return planCgroup({ facts: probeCgroups(path), resources, slots: new SlotAllocator() });
}

say(`default ${readDefaultParent()}`);
const { host, teardown, cgroupSlot, directory } = plan(`${delegated}/box`);
const script = `cat /proc/self/cgroup ${directory}/pids.max`;
const { stdout } = await runPlan({ ops: [...host, ...teardown], cgroupSlot }, [
  ...["/bin/sh", "-c", script],
]);
const [cgroup, max] = stdout.trim().split("\n");
say(`cgroup ${cgroup}`);
say(`pids.max ${max}`);
try {
  plan("/foreign");
  say("not refused");
} catch (error) {
  if (!(error instanceof TsrunError)) throw error;
  say(`refused ${error.code} ${error.message}`);
}
