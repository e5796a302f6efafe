import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCommand } from "../../../src/cli/find-command.ts";
import { COMMANDS } from "../../../src/cli/table.ts";

/** Issue 2, "The command line": every command and every option that it lists. */
const COMMAND_NAMES =
  "run create start stop restart kill pause resume exec attach logs ps top inspect stats wait rename update rm events cp diff plan info version completion";
const IMAGE_NAMES = "import ls inspect rm tag";
const RUN_OPTIONS =
  "--name -d --detach -i -t --rm -e --env-file -w -u --hostname -v --volume --mount --tmpfs --read-only --rootfs --entrypoint --memory --memory-swap --memory-high --memory-reservation --cpus --cpu-weight --cpuset-cpus --cpuset-mems --pids-limit --io-weight --device-read-bps --device-write-bps --device-read-iops --device-write-iops --ulimit --oom-score-adj --shm-size --cap-add --cap-drop --security-opt --privileged --device --device-cgroup-rule --sysctl --userns --uidmap --gidmap --pid --ipc --uts --cgroupns --time-offset --network --cgroup-parent --init --stop-signal --stop-timeout --label --annotation --cidfile --log-opt --detach-keys --dns --add-host --group-add --umask --workdir --domainname --personality --cpu-affinity";

function optionWords(name: string): Set<string> {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  assert.ok(command, `there is no command ${name}`);
  return new Set(
    command.options.flatMap(({ name: long, short }) =>
      short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`],
    ),
  );
}

describe("the command table", () => {
  it("has every command of the issue", () => {
    const names = new Set(COMMANDS.map(({ name }) => name));
    const wanted = [
      ...COMMAND_NAMES.split(" "),
      ...IMAGE_NAMES.split(" ").map((name) => `image ${name}`),
      "system check",
    ];
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
  });

  it("has every option of the issue in run and plan, and all but -d and --detach-keys in create", () => {
    const wanted = RUN_OPTIONS.split(" ");
    for (const name of ["run", "plan"]) {
      const has = optionWords(name);
      assert.deepEqual(
        wanted.filter((word) => !has.has(word)),
        [],
        name,
      );
    }
    const create = optionWords("create");
    const attaching = ["-d", "--detach", "--detach-keys"];
    assert.deepEqual(
      wanted.filter((word) => !create.has(word) && !attaching.includes(word)),
      [],
    );
  });

  it("gives users who are not root the commands for images and registries", () => {
    const NOT_IMAGES = ["commit", "export"]; // of containers
    const allowed = new Set(
      COMMANDS.flatMap(({ name, withoutRoot }) => (withoutRoot === undefined ? [] : [name])),
    );
    const images = COMMANDS.filter(({ group }) => group === "Images").map(({ name }) => name);
    const wanted = [...images, "system df", "system check", "help", "version", "completion"];
    const refused = wanted.filter((name) => !allowed.has(name));
    assert.deepEqual(refused.sort(), [...NOT_IMAGES, "build"].sort());
    for (const name of ["run", "create", "start", "exec", "rm"]) assert.ok(!allowed.has(name));
  });

  it("has the limits of run in update", () => {
    const update = optionWords("update");
    for (const word of RUN_OPTIONS.split(" ")) {
      if (/^--(memory|cpus|cpu-weight|cpuset|pids|io|device-(read|write))/.test(word)) {
        assert.ok(update.has(word), word);
      }
    }
  });

  it("names no option twice in one command", () => {
    for (const { name, options } of COMMANDS) {
      const words = options.flatMap(({ name: long, short, aliases = [] }) => [
        `--${long}`,
        ...aliases.map((alias) => `--${alias}`),
        ...(short === undefined ? [] : [`-${short}`]),
      ]);
      assert.equal(new Set(words).size, words.length, name);
    }
  });

  it("teaches: every command has a summary, a description and an example", () => {
    for (const { name, summary, description, examples } of COMMANDS) {
      assert.ok(summary.length > 10 && !summary.endsWith("."), name);
      assert.ok(description.length > 0, name);
      assert.ok(examples.length > 0, name);
      for (const { command } of examples) assert.match(command, /tsrun /, name);
    }
  });

  it("gives every option a summary, and every value a placeholder", () => {
    for (const { name, options } of COMMANDS) {
      for (const option of options) {
        assert.ok(option.summary.length > 3, `${name} --${option.name}`);
        assert.equal(
          option.placeholder !== undefined,
          option.kind !== "flag",
          `${name} --${option.name}`,
        );
      }
    }
  });

  it("loads a module with a run function for every command", async () => {
    for (const { name, load } of COMMANDS) {
      const module = await load();
      assert.equal(typeof module.run, "function", name);
    }
  });
});

describe("findCommand", () => {
  it("finds commands of one and two words, by aliases, and after podman's word container", () => {
    const found = (...words: string[]) => {
      const result = findCommand(COMMANDS, words);
      return result && [result.command.name, result.words];
    };
    assert.deepEqual(found("run", "x"), ["run", 1]);
    assert.deepEqual(found("image", "ls"), ["image ls", 2]);
    assert.deepEqual(found("images"), ["image ls", 1]);
    assert.deepEqual(found("rmi"), ["image rm", 1]);
    assert.deepEqual(found("unpause"), ["resume", 1]);
    assert.deepEqual(found("container", "ls"), ["ps", 2]);
    assert.equal(found("image"), undefined);
    assert.equal(found("nothing"), undefined);
  });
});
