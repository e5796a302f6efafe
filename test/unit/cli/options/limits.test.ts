import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLimits } from "../../../../src/cli/options/limits.ts";
import { parseArguments } from "../../../../src/cli/parse-arguments.ts";
import { COMMANDS } from "../../../../src/cli/table.ts";
import { refuses } from "./refuses.ts";

const update = COMMANDS.find(({ name }) => name === "update");

async function limits(...words: string[]) {
  assert.ok(update);
  const { options } = await parseArguments(update, words);
  return parseLimits(options, (_flag, path) => ({ major: 8, minor: path === "/dev/sda" ? 0 : 16 }));
}

describe("parseLimits", () => {
  it("is empty without options", async () => assert.deepEqual(await limits(), {}));

  it("reads every limit", async () => {
    assert.deepEqual(
      await limits(
        ...["-m", "512m", "--memory-swap", "1g", "--memory-high", "400m"],
        ...["--memory-reservation", "100m", "--cpus", "1.5", "--cpu-weight", "200"],
        ...["--cpuset-cpus", "0-1", "--cpuset-mems", "0", "--pids-limit", "50"],
        ...["--io-weight", "300", "--device-read-bps", "/dev/sda:1m"],
        ...["--device-write-bps", "/dev/sdb:2m", "--device-read-iops", "/dev/sda:10"],
        ...["--device-write-iops", "/dev/sda:20", "--device-write-iops", "/dev/sdb:30"],
      ),
      {
        memoryBytes: 512 * 2 ** 20,
        memorySwapBytes: 2 ** 30,
        memoryHighBytes: 400 * 2 ** 20,
        memoryReservationBytes: 100 * 2 ** 20,
        cpus: 1.5,
        cpuWeight: 200,
        cpusetCpus: "0-1",
        cpusetMems: "0",
        pidsLimit: 50,
        ioWeight: 300,
        deviceReadBps: [{ major: 8, minor: 0, rate: 2 ** 20 }],
        deviceWriteBps: [{ major: 8, minor: 16, rate: 2 ** 21 }],
        deviceReadIops: [{ major: 8, minor: 0, rate: 10 }],
        deviceWriteIops: [
          { major: 8, minor: 0, rate: 20 },
          { major: 8, minor: 16, rate: 30 },
        ],
      },
    );
  });

  it("reads no limit as -1", async () => {
    assert.deepEqual(await limits("--memory", "0", "--memory-swap", "-1", "--pids-limit", "0"), {
      memoryBytes: -1,
      memorySwapBytes: -1,
      pidsLimit: -1,
    });
    assert.deepEqual(await limits("--memory-swap", "0"), {});
  });

  for (const [flag, value] of [
    ["--cpus", "x"],
    ["--cpus", "-1"],
    ["--cpus", "0.001"],
    ["--cpu-weight", "0"],
    ["--cpu-weight", "10001"],
    ["--io-weight", "many"],
    ["--pids-limit", "-2"],
    ["--pids-limit", "1.5"],
    ["--cpuset-cpus", "x"],
    ["--memory", "lots"],
  ] as const) {
    it(`refuses ${flag} ${value}`, async () => {
      const error: unknown = await limits(`${flag}=${value}`).catch((caught: unknown) => caught);
      refuses(
        () => {
          throw error;
        },
        flag,
        value,
      );
    });
  }

  it("refuses limits that contradict each other", async () => {
    await assert.rejects(limits("-m", "1g", "--memory-swap", "512m"), {
      message: 'invalid value "512m" for --memory-swap: it is less than --memory "1g"',
    });
    await assert.rejects(limits("-m", "1m", "--memory-reservation", "2m"), {
      message: 'invalid value "2m" for --memory-reservation: it is more than --memory "1m"',
    });
    await limits("--memory-swap", "512m");
    await limits("-m", "0", "--memory-reservation", "2m");
  });
});
