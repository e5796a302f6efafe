/**
 * kill -9 in the middle of a build, at steps from its beginning to its end: the next build gets through, no
 * container is listed, and a repair leaves nothing to be found.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { makeContext } from "../../support/build-context.ts";
import { Cli } from "../../support/cli.ts";

const TEXT = `FROM busybox
COPY file /file
RUN --mount=type=cache,target=/c --mount=type=secret,id=s cat /run/secrets/s > /copy
ENV A=1
`;
/** Of some 36; the last one is behind the end. */
const STEPS = [6, 13, 20, 27, 33, 1000];

it("kill -9 at any step of a build leaves nothing that the next ones do not clear away", async () => {
  await using cli = await Cli.open();
  const secret = cli.file("secret");
  writeFileSync(secret, "s");
  const context = makeContext(cli, TEXT, { file: "text" });
  const build = ["build", "-q", "-t", "built", "--secret", `id=s,src=${secret}`];
  const [root, run] = [join(cli.base, "root"), join(cli.base, "run")];
  for (const step of STEPS) {
    const env = { TSRUN_FAULT: `step:${step}` };
    const { signal, stderr } = await cli.run([...build, "--no-cache", context], { env });
    assert.equal(signal, step === STEPS.at(-1) ? null : "SIGKILL", `step ${step}: ${stderr}`);
    await cli.ok(...build, context);
    assert.equal(await cli.ok("ps", "-a", "-q"), "", `step ${step}`);
    assert.equal(existsSync(join(run, "build")), false, `step ${step}: a secret is left`);
    assert.deepEqual(readdirSync(join(root, "images/tmp")), [], `step ${step}`);
  }
  await cli.ok("system", "check", "--repair");
  assert.equal(await cli.ok("system", "check", "--images"), "Nothing is left behind.");
});
