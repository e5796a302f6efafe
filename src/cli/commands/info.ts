import { type EngineInfo, engineInfo } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize } from "../format/human.ts";
import { formatObject, lines } from "../format/rows.ts";
import { isList, isRecord, type Value, type ValueRecord } from "../format/value.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, globals }: CommandCall): Promise<void> {
  const view = infoView(await engineInfo(openEngineFor(globals)));
  const format = options.value("format");
  print(format === undefined ? lines(infoLines(view)) : formatObject(view, format));
}

function infoView({ version, host, store, cgroup, security, stage }: EngineInfo): ValueRecord {
  return {
    Version: version,
    Node: process.versions.node,
    Host: {
      Kernel: host.kernel,
      Arch: host.arch,
      CPUs: host.cpus,
      Memory: humanSize(host.memoryBytes),
      MemoryBytes: host.memoryBytes,
    },
    Store: {
      Root: store.root,
      RunRoot: store.runRoot,
      Free: store.freeBytes === undefined ? "unknown" : humanSize(store.freeBytes),
      FreeBytes: store.freeBytes ?? null,
      TotalBytes: store.totalBytes ?? null,
      Images: store.images,
      Containers: { ...store.containers },
    },
    Cgroup: {
      Version: cgroup ? "v2" : "not mounted",
      MountPoint: cgroup?.mountPoint ?? "",
      Parent: cgroup?.parent ?? "",
      Controllers: cgroup?.controllers ?? [],
    },
    Security: {
      Seccomp: security.seccomp,
      AppArmor: security.apparmor,
      SELinux: security.selinux,
    },
    Stage: stage ?? "not built",
  };
}

/** "name: value" lines, one level indented; sizes in bytes are for programs. */
function infoLines(view: ValueRecord, indent = ""): string[] {
  return Object.entries(view).flatMap(([name, value]) => {
    if (name.endsWith("Bytes")) return [];
    if (isRecord(value)) return [`${indent}${name}:`, ...infoLines(value, `${indent}  `)];
    return [`${indent}${name}: ${infoText(value)}`];
  });
}

function infoText(value: Value): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (!isList(value)) return String(value);
  return value.length > 0 ? value.join(" ") : "none";
}
