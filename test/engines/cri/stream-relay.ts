/**
 * Joins a Unix socket to a port of the private host, whose network no test is in.
 *
 *   stream-relay.ts SOCKET PORT
 */
import { connect, createServer } from "node:net";
import { pipeline } from "node:stream/promises";

const [, , socket = "", port = ""] = process.argv;

createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
  Promise.all([pipeline(client, server), pipeline(server, client)]).catch(() => {
    // Either end may go at any time: so does the other.
    client.destroy();
    server.destroy();
  });
}).listen(socket);
