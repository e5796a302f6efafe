/**
 * How registries are to be talked to: what was asked for on the command line, and what the host's files
 * say where nothing was.
 */
import type { ConnectionSettings } from "./connection.ts";
import type { Credentials } from "./credential-helper.ts";
import { type CredentialOptions, readCredentials } from "./credentials.ts";
import type { RegistriesConf, RegistryAddress } from "./plan-sources.ts";
import { Registry } from "./registry.ts";

export interface RegistryAccess extends CredentialOptions, ConnectionSettings {
  /** Instead of those in the files: --creds. */
  readonly credentials?: Credentials;
  /** Instead of the host's registries.conf. */
  readonly conf?: RegistriesConf;
}

/** The caller closes it. */
export async function openRegistry(
  address: RegistryAddress,
  { authFile, credentials, conf: _, ...settings }: RegistryAccess,
): Promise<Registry> {
  const { environment } = settings;
  const known =
    credentials ??
    (await readCredentials(address.host, address.repository, {
      ...(authFile === undefined ? {} : { authFile }),
      ...(environment === undefined ? {} : { environment }),
    }));
  return new Registry(address, { ...settings, ...(known ? { credentials: known } : {}) });
}
