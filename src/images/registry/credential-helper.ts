/**
 * docker-credential-NAME programs, which keep passwords in a keyring or get them from a cloud.
 * docker/docker-credential-helpers, "Development": the verb is an argument, the rest is stdin and stdout.
 */
import { execa } from "execa";
import { TsrunError } from "../../base/errors.ts";

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: "identity"; readonly token: string };

const TIMEOUT_MS = 30_000;

interface HelperAnswer {
  readonly Username?: string;
  readonly Secret?: string;
}

/** undefined where the helper knows nothing of this server. */
export async function readFromHelper(
  helper: string,
  server: string,
): Promise<Credentials | undefined> {
  const { ok, stdout } = await callHelper(helper, "get", server);
  if (!ok) {
    if (/not found/i.test(stdout)) return undefined;
    throw helperError(helper, stdout);
  }
  let answer: HelperAnswer;
  try {
    answer = JSON.parse(stdout) as HelperAnswer;
  } catch {
    throw helperError(helper, "its answer is no JSON");
  }
  const { Username = "", Secret = "" } = answer;
  if (Username === "<token>") return { kind: "identity", token: Secret };
  return { kind: "password", username: Username, password: Secret };
}

export async function storeInHelper(
  helper: string,
  server: string,
  { username, password }: Extract<Credentials, { kind: "password" }>,
): Promise<void> {
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  const { ok, stdout } = await callHelper(helper, "store", input);
  if (!ok) throw helperError(helper, stdout);
}

/** false where it had none. */
export async function eraseFromHelper(helper: string, server: string): Promise<boolean> {
  const { ok, stdout } = await callHelper(helper, "erase", server);
  if (!ok && !/not found/i.test(stdout)) throw helperError(helper, stdout);
  return ok;
}

async function callHelper(helper: string, verb: string, input: string) {
  const program = `docker-credential-${helper}`;
  // The name comes from a configuration file: it is a name on the PATH, never a path.
  if (!/^[\w.-]+$/.test(helper)) throw helperError(helper, "it is not a program's name");
  const { failed, code, stdout, stderr } = await execa(program, [verb], {
    input,
    reject: false,
    timeout: TIMEOUT_MS,
  });
  if (code === "ENOENT") throw helperError(helper, "there is no such program on the PATH");
  return { ok: !failed, stdout: failed ? `${stdout}${stderr}`.trim() : stdout };
}

function helperError(helper: string, reason: string): TsrunError {
  return new TsrunError(
    "REGISTRY_DENIED",
    `the credential helper "docker-credential-${helper}" failed: ${reason}`,
    { hint: "It is named in auth.json or docker's config.json." },
  );
}
