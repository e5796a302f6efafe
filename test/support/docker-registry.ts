/**
 * Debian's docker-registry on loopback: a real OCI registry, in the clear or with TLS, open or with
 * passwords or tokens.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createSign, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const USER = "tester";
export const PASSWORD = "pass:word";

export interface RegistrySettings {
  readonly tls?: boolean;
  readonly auth?: "basic" | "token";
}

/** Why there is none here; undefined when there is. */
export function dockerRegistryUnavailable(): string | undefined {
  const missing = ["docker-registry", "openssl", "htpasswd"].filter(
    (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error !== undefined,
  );
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

export class DockerRegistry implements AsyncDisposable {
  readonly host: string;
  /** The authority that its certificate is from: a certs.d/HOST with ca.crt. */
  readonly certDir: string;
  /** Scopes for which the token server was asked. */
  scopes: readonly string[] = [];
  readonly #directory: string;
  readonly #process: ChildProcess;
  readonly #tokens: Server | undefined;

  private constructor(
    parts: { directory: string; port: number; process: ChildProcess },
    tokens: Server | undefined,
  ) {
    this.#directory = parts.directory;
    this.#process = parts.process;
    this.#tokens = tokens;
    this.host = `localhost:${parts.port}`;
    this.certDir = join(parts.directory, "certs");
  }

  static async open({ tls = false, auth }: RegistrySettings = {}): Promise<DockerRegistry> {
    const directory = mkdtempSync(join(tmpdir(), "tsrun-registry-"));
    makeCertificate(directory);
    const scopes: string[] = [];
    const tokens = auth === "token" ? await openTokenServer(directory, scopes) : undefined;
    const port = await freePort();
    const config = composeConfig({ directory, port, tls, auth, tokens });
    writeFileSync(join(directory, "config.yml"), JSON.stringify(config));
    const child = spawn("docker-registry", ["serve", join(directory, "config.yml")], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    const registry = new DockerRegistry({ directory, port, process: child }, tokens);
    registry.scopes = scopes;
    await listening(port, child);
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill("SIGKILL");
    await ended;
    this.#tokens?.closeAllConnections();
    this.#tokens?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function composeConfig(what: {
  readonly directory: string;
  readonly port: number;
  readonly tls: boolean;
  readonly auth: RegistrySettings["auth"];
  readonly tokens: Server | undefined;
}): unknown {
  const { directory, port, tls, auth, tokens } = what;
  const file = (name: string) => join(directory, name);
  const certificate = { certificate: file("server.crt"), key: file("server.key") };
  if (auth === "basic") {
    const made = spawnSync("htpasswd", ["-Bbn", USER, PASSWORD], { encoding: "utf8" });
    writeFileSync(file("htpasswd"), made.stdout);
  }
  return {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: file("data") } },
    http: { addr: `127.0.0.1:${port}`, ...(tls ? { tls: certificate } : {}) },
    ...(auth === "basic" ? { auth: { htpasswd: { realm: "basic", path: file("htpasswd") } } } : {}),
    ...(tokens ? { auth: { token: tokenSettings(tokens, file("server.crt")) } } : {}),
  };
}

const SERVICE = "tsrun-test";
const ISSUER = "tsrun-issuer";

function tokenSettings(tokens: Server, rootcertbundle: string) {
  const { port } = tokens.address() as AddressInfo;
  return {
    realm: `http://localhost:${port}/token`,
    service: SERVICE,
    issuer: ISSUER,
    rootcertbundle,
  };
}

/** A certificate for localhost, and the authority that it is from. */
function makeCertificate(directory: string): void {
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
  };
  mkdirSync(join(directory, "certs"));
  const key = (name: string) => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(join(directory, name), privateKey.export({ type: "pkcs8", format: "pem" }));
  };
  key("ca.key");
  key("server.key");
  const authority = ["-x509", "-new", "-key", "ca.key", "-days", "2", "-subj", "/CN=tsrun test CA"];
  openssl("req", ...authority, "-out", "certs/ca.crt");
  openssl("req", "-new", "-key", "server.key", "-subj", "/CN=localhost", "-out", "server.csr");
  writeFileSync(join(directory, "ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const by = ["-CA", "certs/ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"];
  openssl("x509", "-req", "-in", "server.csr", "-days", "2", ...by, "-out", "server.crt");
}

/** Gives a token for whatever it is asked for, if the password is right; without one, only to pull. */
async function openTokenServer(directory: string, scopes: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const known = isKnown(request);
    if (request.headers.authorization !== undefined && !known) {
      response.writeHead(401).end('{"details":"wrong password"}');
      return;
    }
    const asked = url.searchParams.getAll("scope");
    scopes.push(...asked);
    const access = asked.map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      const wanted = actions.split(",").filter((action) => known || action === "pull");
      return { type, name, actions: wanted };
    });
    response.end(JSON.stringify({ token: signToken(directory, access), expires_in: 300 }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

function isKnown({ headers }: IncomingMessage): boolean {
  const basic = Buffer.from(`${USER}:${PASSWORD}`).toString("base64");
  return headers.authorization === `Basic ${basic}`;
}

function signToken(directory: string, access: unknown): string {
  const certificate = readFileSync(join(directory, "server.crt"), "utf8");
  const x5c = [certificate.replaceAll(/-----[A-Z ]+-----|\s/g, "")];
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 10, exp: now + 300 };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = [
    part({ typ: "JWT", alg: "RS256", x5c }),
    part({ iss: ISSUER, aud: SERVICE, sub: USER, jti: "1", ...times, access }),
  ].join(".");
  const signer = createSign("RSA-SHA256").update(signed);
  return `${signed}.${signer.sign(readFileSync(join(directory, "server.key")), "base64url")}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    if (await accepts(port)) return;
    await sleep(20);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => done(true)).once("error", () => done(false));
    socket.once("connect", () => socket.destroy());
  });
}
