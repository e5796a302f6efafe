/**
 * A file from the web, for ADD: the same client, proxies, certificates and patience as for registries.
 */
import { TsrunError } from "../../base/errors.ts";
import { type ConnectionSettings, HttpConnection } from "./connection.ts";

export interface FetchedUrl {
  readonly body: AsyncIterable<Uint8Array>;
  /** Milliseconds since the epoch, where the server says when the file was changed. */
  readonly modifiedMs: number | undefined;
}

/** Hands the response to `use` while the connection is open. Throws NOT_FOUND, REGISTRY_UNAVAILABLE, ABORTED. */
export async function fetchUrl<T>(
  url: URL,
  settings: ConnectionSettings,
  use: (fetched: FetchedUrl) => Promise<T>,
): Promise<T> {
  await using connection = new HttpConnection(url.host, settings);
  const { status, headers, body } = await connection.request({ method: "GET", url });
  if (status !== 200) {
    body.destroy();
    throw new TsrunError("NOT_FOUND", `"${url.href}" cannot be fetched: HTTP status ${status}`, {
      hint: "Try the address with curl; a proxy may stand between.",
    });
  }
  const modified = Date.parse(headers.get("last-modified")?.[0] ?? "");
  return await use({ body, modifiedMs: Number.isNaN(modified) ? undefined : modified });
}
