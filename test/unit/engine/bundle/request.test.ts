import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkRequest } from "../../../../src/engine/bundle/request.ts";
import type { ContainerRequest } from "../../../../src/engine/index.ts";

const check = (request: ContainerRequest) => () => checkRequest({ image: "busybox", ...request });

describe("a request from a program", () => {
  const wrong: readonly (readonly [string, ContainerRequest])[] = [
    ["image and root", { rootfs: "/" }],
    ["a relative root", { image: undefined, rootfs: "x" } as unknown as ContainerRequest],
    ["an umask of more than nine bits", { umask: 0o1000 }],
    ["a timeout that is no number", { stopTimeoutSeconds: Number.NaN }],
    ["a timeout without end", { stopTimeoutSeconds: Number.POSITIVE_INFINITY }],
    ["a negative timeout", { stopTimeoutSeconds: -1 }],
    ["no CPU at all", { limits: { cpus: 0 } }],
    ["CPUs without end", { limits: { cpus: Number.POSITIVE_INFINITY } }],
    ["a negative log", { log: { maxSizeBytes: -1 } }],
    ["half a log file", { log: { maxFiles: 0.5 } }],
    ["half a byte of shared memory", { shmSizeBytes: 0.5 }],
    ["a size for a root on the disk", { rootMode: "shared", rootSizeBytes: 1 }],
    ["half a byte of a root", { rootMode: "ephemeral", rootSizeBytes: 0.5 }],
    [
      "a directory that is to be clean at each start",
      { image: undefined, rootfs: "/r", rootMode: "shared" } as unknown as ContainerRequest,
    ],
    ["an OOM score beyond the kernel's", { oomScoreAdj: 1001 }],
    ["a host name with a space", { hostname: "a b" }],
    ["a privileged user namespace", { privileged: true, namespaces: { user: { kind: "auto" } } }],
    ["a DNS server's name", { dns: ["dns.example"] }],
    ["a host without an address", { addHosts: [{ name: "a", address: "b" }] }],
  ];
  for (const [what, request] of wrong) {
    it(`is refused with a hint: ${what}`, () => {
      assert.throws(check(request), (error: { code?: string; hint?: string }) => {
        assert.equal(error.code, "INVALID_ARGUMENT");
        assert.match(error.hint ?? "", /\.$/);
        return true;
      });
    });
  }

  it("is taken with every limit at its edge", () => {
    for (const request of [
      { umask: 0 },
      { umask: 0o777 },
      { stopTimeoutSeconds: 0 },
      { stopTimeoutSeconds: 7 * 24 * 3600 },
      { limits: { cpus: 0.01 } },
      { log: { maxSizeBytes: 0, maxFiles: 1 } },
      { shmSizeBytes: 1 },
      { oomScoreAdj: -1000 },
      { hostname: "a.b-c" },
    ]) {
      assert.doesNotThrow(check(request), JSON.stringify(request));
    }
  });
});
