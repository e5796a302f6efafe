/**
 * The shortest program: one command in a container of its own, and how it ended.
 *
 *   scripts/node examples/hello.ts
 *
 * It needs root and the image "busybox" that `npm run quickstart` imports; so do the others.
 */
import { run } from "tsrun";

const { status } = await run({
  image: "busybox",
  hostname: "box",
  command: ["sh", "-c", 'echo "hello from $(hostname), process $$"'],
  stdout: "inherit",
});

console.log(`it ended with ${status}`);
