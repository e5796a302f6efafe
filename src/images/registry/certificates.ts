/**
 * Whom a TLS connection to a registry trusts, and what it shows of itself: the system's authorities and
 * what lies in certs.d/HOST (containers-certs.d(5), docker's certs.d).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { hasErrno, TsrunError } from "../../base/errors.ts";

export interface CertificateOptions {
  /** --cert-dir: instead of the usual directories. */
  readonly certDir?: string;
  readonly home?: string;
}

/** Where Debian, Fedora and Alpine have all authorities in one file. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** Throws INVALID_ARGUMENT for a file that is no certificate or key. */
export function readSecureContext(
  host: string,
  { certDir, home = process.env["HOME"] ?? "/root" }: CertificateOptions,
): SecureContext {
  const directories = certDir === undefined ? usualDirectories(home, host) : [certDir];
  const files = directories.flatMap((directory) =>
    readdirIfThere(directory).map((name) => join(directory, name)),
  );
  const ca = files.filter((path) => path.endsWith(".crt"));
  const pair = clientPair(files);
  try {
    return createSecureContext({
      ca: [...systemAuthorities(), ...ca.map((path) => readFileSync(path, "utf8"))],
      ...(pair
        ? { cert: readFileSync(pair.cert, "utf8"), key: readFileSync(pair.key, "utf8") }
        : {}),
    });
  } catch (error) {
    throw new TsrunError("INVALID_ARGUMENT", `cannot use the certificates for "${host}"`, {
      hint: `Look at ${[...ca, ...(pair ? [pair.cert, pair.key] : [])].join(", ")}: PEM is wanted.`,
      cause: error,
    });
  }
}

function usualDirectories(home: string, host: string): readonly string[] {
  return [
    join(home, ".config/containers/certs.d", host),
    join("/etc/containers/certs.d", host),
    join("/etc/docker/certs.d", host),
  ];
}

/** NAME.cert with its NAME.key. */
function clientPair(files: readonly string[]): { cert: string; key: string } | undefined {
  for (const cert of files.filter((path) => path.endsWith(".cert"))) {
    const key = cert.replace(/\.cert$/, ".key");
    if (files.includes(key)) return { cert, key };
    throw new TsrunError("INVALID_ARGUMENT", `the certificate "${cert}" has no key`, {
      hint: `Put it beside it, as "${key}".`,
    });
  }
  return undefined;
}

function systemAuthorities(): readonly string[] {
  const own = process.env["SSL_CERT_FILE"];
  for (const path of own === undefined ? SYSTEM_BUNDLES : [own]) {
    try {
      return [readFileSync(path, "utf8")];
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }
  return rootCertificates;
}

function readdirIfThere(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}
