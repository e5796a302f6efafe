/**
 * A container that stays: its log followed line by line while commands run inside it.
 *
 *   scripts/node examples/exec-and-logs.ts
 */
import { create } from "tsrun";

const SERVER = `
  trap 'echo "told to stop"; exit 0' TERM
  echo "waiting for work"
  while [ ! -e /tmp/work ]; do sleep 0.1; done
  echo "got: $(cat /tmp/work)"
  while :; do sleep 0.1; done
`;

// Killed and removed at the end of the program, however it ends.
await using server = await create({ image: "busybox", command: ["sh", "-c", SERVER] });
await server.start();

for await (const { stream, text } of server.logs({ follow: true })) {
  console.log(`${stream}: ${text}`);
  if (text.startsWith("waiting")) {
    const wrote = await server.exec(["sh", "-c", "cat > /tmp/work; id -un"], {
      input: "forty-two",
    });
    console.log(`exec as ${wrote.stdout.trim()}: status ${wrote.status}`);
  }
  if (text.startsWith("got")) void server.stop({ timeoutSeconds: 5 });
}

// The log ends with the container.
const { status } = await server.wait();
console.log(`the server ended with ${status}`);
