/** Talking to systemd: to it alone by the socket that it keeps for root, or over the system bus. */
import { existsSync } from "node:fs";
import { createClient, DBusError, Variant } from "dbus-native";
import { TsrunError } from "../base/errors.ts";
import { unitObjectPath } from "./plan-unit.ts";
import type { DbusValue, TypedValue, UnitProperty } from "./unit-property.ts";

/** One that is connected. Each method throws SYSTEM with systemd's own words, or TIMEOUT. */
export interface Systemd extends AsyncDisposable {
  /** 252 */
  readonly version: number;
  /** The unit is active when it resolves, and not there when it rejects, but for one that others have. */
  readonly startUnit: (name: string, properties: readonly UnitProperty[]) => Promise<void>;
  /** Nothing of it is left when it resolves; one that is gone already is fine. */
  readonly stopUnit: (name: string) => Promise<void>;
  /** Until the unit ends. */
  readonly setProperties: (name: string, properties: readonly UnitProperty[]) => Promise<void>;
  /** Where the unit's cgroup is, from the hierarchy's top. */
  readonly readControlGroup: (unit: {
    readonly name: string;
    readonly kind: "scope" | "slice";
  }) => Promise<string>;
}

const SYSTEM_BUS = "/run/dbus/system_bus_socket";
const PRIVATE_SOCKET = "/run/systemd/private";
const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const MANAGER_PATH = "/org/freedesktop/systemd1";
/** Longer than systemd's own for a scope that does not end. */
const JOB_MS = 100_000;

/** sd_booted(3). */
export function isSystemdRunning(): boolean {
  return existsSync("/run/systemd/system");
}

/** Throws UNSUPPORTED without systemd or root, SYSTEM where it does not answer. */
export async function connectSystemd(): Promise<Systemd> {
  if (!isSystemdRunning()) {
    throw new TsrunError(
      "UNSUPPORTED",
      "systemd not running on this host, cannot use systemd cgroups manager",
    );
  }
  if (process.geteuid?.() !== 0) {
    throw new TsrunError(
      "UNSUPPORTED",
      "--systemd-cgroup needs root: a user's own systemd is not supported yet",
      {
        hint: "Without the flag, cgroupsPath may be below a cgroup that is delegated to the user.",
      },
    );
  }
  const connection = new Connection();
  try {
    return await connection.open();
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

type Client = ReturnType<typeof createClient>;

interface Call {
  readonly path?: string;
  readonly interface?: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

class Connection implements Systemd {
  version = 0;
  readonly #bus: Client;
  /** To systemd itself, with no bus between. */
  readonly #direct: boolean;
  /** Whoever waits for an answer learns from it that there will be none. */
  readonly #lost = Promise.withResolvers<never>();
  readonly #jobs = new Jobs();

  constructor() {
    const address = process.env["DBUS_SYSTEM_BUS_ADDRESS"];
    // As systemctl(1) does for root. Where systemd is another container's there may be the bus alone.
    this.#direct = address === undefined && existsSync(PRIVATE_SOCKET);
    const busAddress = address ?? `unix:path=${this.#direct ? PRIVATE_SOCKET : SYSTEM_BUS}`;
    this.#bus = createClient({ busAddress, direct: this.#direct });
    this.#lost.promise.catch(() => undefined);
    const { connection } = this.#bus;
    connection.on("error", (cause) => {
      this.#lost.reject(
        new TsrunError("SYSTEM", `cannot talk to systemd (${busAddress}): ${cause.message}`, {
          cause,
        }),
      );
    });
    connection.on("message", (message) => {
      if (message.interface !== MANAGER || message.member !== "JobRemoved") return;
      const [, job, , result] = message.body as [number, string, string, string];
      this.#jobs.ended(job, result);
    });
  }

  async open(): Promise<this> {
    const version = this.#get(MANAGER_PATH, MANAGER, "Version");
    // Jobs' ends are told only to those who asked.
    const subscribed = this.#call({ member: "Subscribe" });
    const matched = this.#match();
    [this.version] = [Number.parseInt(String(await version), 10), await subscribed, await matched];
    return this;
  }

  readonly startUnit: Systemd["startUnit"] = async (name, properties) => {
    const start = () =>
      this.#call({
        member: "StartTransientUnit",
        signature: "ssa(sv)a(sa(sv))",
        body: [name, "replace", toWire(properties), []],
      });
    let job: unknown;
    try {
      job = await start();
    } catch (error) {
      if (nameOf(error) !== "org.freedesktop.systemd1.UnitExists") throw error;
      // What a failed one of this name left is cleared; one that runs stays, and is in the way again.
      await this.#reset(name);
      job = await start();
    }
    try {
      await this.#end(job, "start", name);
    } catch (error) {
      await this.#kill(name);
      await this.stopUnit(name);
      throw error;
    }
  };

  readonly stopUnit: Systemd["stopUnit"] = async (name) => {
    try {
      const body = [name, "replace"];
      const job = await this.#call({ member: "StopUnit", signature: "ss", body });
      await this.#end(job, "stop", name);
    } catch (error) {
      if (nameOf(error) !== NO_SUCH_UNIT) throw error; // it ended with its processes
    }
    await this.#reset(name);
  };

  readonly setProperties: Systemd["setProperties"] = async (name, properties) => {
    if (properties.length === 0) return;
    await this.#call({
      member: "SetUnitProperties",
      signature: "sba(sv)",
      body: [name, true, toWire(properties)],
    });
  };

  readonly readControlGroup: Systemd["readControlGroup"] = async ({ name, kind }) => {
    const type = kind === "scope" ? "Scope" : "Slice";
    const found = await this.#get(unitObjectPath(name), `${SYSTEMD}.${type}`, "ControlGroup");
    if (typeof found === "string" && found.startsWith("/")) return found;
    throw new TsrunError("SYSTEM", `systemd made no cgroup for the unit "${name}"`, {
      hint: `Its processes ended at once: see "journalctl -u ${name}".`,
    });
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus.close();
  }

  async #kill(name: string): Promise<void> {
    try {
      await this.#call({ member: "KillUnit", signature: "ssi", body: [name, "all", SIGKILL] });
    } catch (error) {
      if (!NOTHING_THERE.includes(nameOf(error) ?? "")) throw error;
    }
  }

  /** A failed unit is kept until this. */
  async #reset(name: string): Promise<void> {
    try {
      await this.#call({ member: "ResetFailedUnit", signature: "s", body: [name] });
    } catch (error) {
      if (nameOf(error) !== NO_SUCH_UNIT) throw error; // there is none to reset
    }
  }

  async #end(job: unknown, what: "start" | "stop", name: string): Promise<void> {
    const result = await Promise.race([this.#jobs.end(String(job)), this.#lost.promise]);
    if (result === "done") return;
    if (result === undefined) {
      throw new TsrunError("TIMEOUT", `systemd did not ${what} the unit "${name}" in time`, {
        hint: `See "systemctl list-jobs" and "systemctl status ${name}".`,
      });
    }
    throw new TsrunError("SYSTEM", `systemd could not ${what} the unit "${name}": ${result}`, {
      hint: `See "systemctl status ${name}".`,
    });
  }

  async #get(path: string, of: string, name: string): Promise<unknown> {
    return this.#call({
      path,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
      body: [of, name],
    });
  }

  async #match(): Promise<void> {
    if (this.#direct) return;
    const rule = `type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`;
    await this.#guarded(this.#bus.addMatch(rule), "AddMatch");
  }

  #call(call: Call): Promise<unknown> {
    const answer = this.#bus.invoke({
      destination: SYSTEMD,
      path: MANAGER_PATH,
      interface: MANAGER,
      ...call,
      body: [...(call.body ?? [])],
    });
    return this.#guarded(answer, call.member);
  }

  async #guarded(answer: PromiseLike<unknown>, member: string): Promise<unknown> {
    try {
      return await Promise.race([answer, this.#lost.promise]);
    } catch (cause) {
      if (cause instanceof TsrunError) throw cause;
      const { message } = cause as Error;
      throw new TsrunError("SYSTEM", `systemd refused ${member}: ${message}`, { cause });
    }
  }
}

/** How jobs ended: the signal may come before whoever waits for it knows the job's name. */
class Jobs {
  readonly #results = new Map<string, string>();
  readonly #waiting = new Map<string, (result: string | undefined) => void>();

  ended(job: string, result: string): void {
    this.#results.set(job, result);
    this.#waiting.get(job)?.(result);
  }

  /** "done", "failed", …; undefined where it takes too long. */
  async end(job: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => resolve(undefined), JOB_MS);
    this.#waiting.set(job, resolve);
    if (this.#results.has(job)) resolve(this.#results.get(job));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

const SIGKILL = 9;
const NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit";
const NOTHING_THERE = [NO_SUCH_UNIT, "org.freedesktop.systemd1.NoSuchProcess"];

/** D-Bus's name of what a call failed of. */
function nameOf(error: unknown): string | undefined {
  const { cause } = error as { readonly cause?: unknown };
  return cause instanceof DBusError ? cause.dbusName : undefined;
}

function toWire(properties: readonly UnitProperty[]): readonly unknown[] {
  return properties.map(({ name, ...typed }) => [name, variant(typed)]);
}

function variant({ signature, value }: TypedValue): Variant {
  return new Variant(signature, wireValue(value));
}

function wireValue(value: DbusValue): unknown {
  if (Array.isArray(value)) return value.map(wireValue);
  return isTyped(value) ? variant(value) : value;
}

function isTyped(value: DbusValue): value is TypedValue {
  return typeof value === "object" && "signature" in value;
}
