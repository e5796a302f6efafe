/** Reaching a supervisor's listening socket, wherever it lies. */
import { closeSync, constants, openSync } from "node:fs";
import { connect } from "node:net";
import { TsrunError } from "../../base/errors.ts";
import { type AttachStream, SocketAttachment } from "./stream.ts";

/** O_PATH: a descriptor that only names a place; open(2). Node's constants leave it out. */
const O_PATH = 0o10000000;

/**
 * Attaches to a running container. unix(7) has room for 108 bytes of path, so the directory is named by a
 * descriptor. Throws WRONG_STATE when nobody listens (ENOENT, ECONNREFUSED): the container does not run.
 */
export async function connectAttach(dir: string, name: string): Promise<AttachStream> {
  const dirFd = openDirectory(dir, name);
  try {
    return await new Promise<AttachStream>((resolve, reject) => {
      const attachment = new SocketAttachment((onread) => {
        const socket = connect({ path: `/proc/self/fd/${dirFd}/${name}`, onread });
        socket.once("connect", () => resolve(attachment));
        socket.once("error", (error) => reject(cannotConnect(dir, name, error)));
        return socket;
      });
    });
  } finally {
    closeSync(dirFd);
  }
}

function openDirectory(dir: string, name: string): number {
  try {
    return openSync(dir, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    throw cannotConnect(dir, name, error);
  }
}

function cannotConnect(dir: string, name: string, cause: unknown): TsrunError {
  const { code } = cause as { code?: string };
  const gone = code === "ENOENT" || code === "ECONNREFUSED";
  const errno = code === undefined ? {} : { errno: code };
  return new TsrunError(
    gone ? "WRONG_STATE" : "SYSTEM",
    gone ? `nothing listens at "${dir}/${name}"` : `cannot connect to "${dir}/${name}": ${code}`,
    { cause, ...errno, ...(gone ? { hint: "A container can be attached to while it runs." } : {}) },
  );
}
