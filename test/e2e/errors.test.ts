/**
 * Everything that can be typed wrong: one exact sentence, a hint, status 125, and nothing left behind.
 */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";

let cli: Cli;
before(async () => {
  cli = await Cli.open();
  await cli.ok("create", "--name", "idle", "busybox", "true");
  writeFileSync(cli.file("bad-env"), "A=1\nB C=2\n");
});
after(() => cli[Symbol.asyncDispose]());

/** What was typed after "tsrun", the sentence, and the hint where it is as exact. */
const CASES: readonly (readonly [line: string, sentence: string, hint?: string])[] = [
  ["frobnicate", 'there is no command "frobnicate"', "See `tsrun help`."],
  ["rnu busybox", 'there is no command "rnu"', "Did you mean `tsrun run`?"],
  ["image", '"tsrun image" needs a command'],
  ["image lss", '"tsrun image" has no command "lss"', "Did you mean `tsrun image ls`?"],
  ["--rot /x ps", '"tsrun" has no option "--rot"', "Did you mean --root?"],
  ["--root relative ps", 'the root "relative" is not an absolute path'],
  ["--log-level loud ps", 'invalid value "loud" for --log-level'],
  ["ps --al", '"tsrun ps" has no option "--al"', "Did you mean --all?"],
  ["ps extra", '"tsrun ps" has no place for "extra"', "Usage: tsrun ps [OPTIONS]"],
  ["run", "neither an image nor --rootfs is given"],
  [
    "run -p 80:80 busybox",
    '"tsrun run" has no option "-p"',
    "Published ports and networks with addresses are not there yet: use --network host, or ns:PATH.",
  ],
  [
    "create --cpu-shares 512 busybox",
    '"tsrun create" has no option "--cpu-shares"',
    "cgroup v2 has weights: --cpu-weight 100 is what 1024 shares were.",
  ],
  ["ps -p", '"tsrun ps" has no option "-p"', "See `tsrun help ps`."],
  ["run --memory", 'the option "--memory" needs a value', "Write it as --memory SIZE."],
  ["run --pull never nosuchimage", 'there is no image "nosuchimage"'],
  ["run UPPER", '"UPPER" is not an image name'],
  ["run --memory 12q busybox", 'invalid value "12q" for --memory: it is not a size'],
  [
    "run --memory 2m --memory-swap 1m busybox",
    'invalid value "1m" for --memory-swap: it is less than --memory "2m"',
  ],
  ["run --cpus many busybox", 'invalid value "many" for --cpus: it is not a number of cpus'],
  ["run --cpu-weight 0 busybox", 'invalid value "0" for --cpu-weight: it is out of range'],
  ["run --pids-limit x busybox", 'invalid value "x" for --pids-limit: it is not a whole number'],
  [
    "run --cpuset-cpus 3-1 busybox",
    'invalid value "3-1" for --cpuset-cpus: "3-1" is neither a number nor a range',
  ],
  [
    "run --device-read-bps /dev/nosuch:1m busybox",
    'invalid value "/dev/nosuch" for --device-read-bps: there is no such device',
  ],
  [
    "run --device-read-bps /dev/null:1m busybox",
    'invalid value "/dev/null" for --device-read-bps: it is not a block device',
  ],
  [
    "run -v +data:/data busybox",
    'invalid value "+data:/data" for --volume: "+data" is no name for a volume',
  ],
  [
    "run -v /a:b busybox",
    'invalid value "/a:b" for --volume: the path "b" in the container is not absolute',
  ],
  [
    "run -v /a:/b:frob busybox",
    'invalid value "/a:/b:frob" for --volume: "frob" is no mount option',
  ],
  ["run -v /tmp:/a -v /var:/a busybox true", 'two mounts have the target "/a"'],
  [
    "run --mount type=bind,src=/no/such,dst=/b busybox",
    'the bind source "/no/such" does not exist',
  ],
  [
    "run --mount type=image,dst=/b busybox",
    'unsupported value "type=image,dst=/b" for --mount: mounts of the type "image" are not there yet',
  ],
  [
    "run --tmpfs tmp busybox",
    'invalid value "tmp" for --tmpfs: the path "tmp" in the container is not absolute',
  ],
  ["run --rootfs /no/such sh", 'the root file system "/no/such" is not a directory'],
  ["run --ulimit frob=1 busybox", 'invalid value "frob=1" for --ulimit: there is no limit "frob"'],
  ["run --device /dev/nosuch busybox", 'the device "/dev/nosuch" does not exist'],
  ["run --device /etc/passwd busybox", '"/etc/passwd" is not a device'],
  ["run --cap-add FROB busybox true", '"CAP_FROB" is not a capability'],
  [
    "run --security-opt frob busybox",
    'invalid value "frob" for --security-opt: it is no security option',
  ],
  [
    "run --sysctl kernel.hostname=x busybox true",
    'the sysctl "kernel.hostname" is not a container\'s own',
  ],
  [
    "run --network bridge busybox",
    'unsupported value "bridge" for --network: networks with addresses of their own are not there yet',
  ],
  ["run --network container:nobody busybox", 'there is no container "nobody"'],
  [
    "run --network container:idle busybox true",
    'cannot join the namespaces of "idle": it does not run',
  ],
  ["run --userns keep-id busybox", 'unsupported value "keep-id" for --userns: it is not there yet'],
  [
    "run --uidmap 0:0 --userns auto busybox",
    'invalid value "auto" for --userns: it does not go with --uidmap and --gidmap',
  ],
  ["run --pid frob busybox", 'invalid value "frob" for --pid: it names no namespace'],
  [
    "run --time-offset soon busybox",
    'invalid value "soon" for --time-offset: "soon" is not an offset',
  ],
  ["run --hostname a_b! busybox", 'invalid value "a_b!" for --hostname: it is not a hostname'],
  ["run --name a/b busybox", 'invalid value "a/b" for --name: it is not a container name'],
  ["run --name idle busybox", 'the name "idle" belongs to another container'],
  ["run -u nosuchuser busybox true", 'there is no user "nosuchuser" in the container'],
  ["run -w x busybox", 'invalid value "x" for --workdir: it is not an absolute path'],
  ["run --umask 9 busybox", 'invalid value "9" for --umask: it is not an octal number in range'],
  ["run --stop-signal FROB busybox", 'invalid value "FROB" for --stop-signal: it is not a signal'],
  [
    "run --env-file /no/such busybox",
    'invalid value "/no/such" for --env-file: there is no such file',
  ],
  [
    "run --env-file BAD_ENV busybox",
    'invalid value "BAD_ENV" for --env-file: line 2 is not NAME=value',
  ],
  [
    "run --log-opt frob=1 busybox",
    'invalid value "frob=1" for --log-opt: there is no log option "frob"',
  ],
  ["run --detach-keys ctrl-1 busybox", '"ctrl-1" in the detach keys "ctrl-1" is no key'],
  ["run --dns one busybox", 'invalid value "one" for --dns: it is not an address'],
  ["run --add-host db busybox", 'invalid value "db" for --add-host: it is not NAME:ADDRESS'],
  ["run --shm-size 0 busybox", 'invalid value "0" for --shm-size: it holds nothing'],
  ["run --rm=maybe busybox", 'invalid value "maybe" for --rm: it is neither true nor false'],
  ["start", '"tsrun start" needs a CONTAINER'],
  ["start nobody", 'there is no container "nobody"'],
  ["start -a idle other", "only one container can be attached to"],
  ["stop", '"tsrun stop" needs a CONTAINER'],
  ["stop --all idle", '"tsrun stop" takes either --all or names'],
  ["stop -t soon idle", 'invalid value "soon" for --time: it is not a whole number'],
  ["kill -s FROB idle", 'invalid value "FROB" for --signal: it is not a signal'],
  ["kill idle", 'cannot send a signal to the container "idle": it is not running'],
  ["exec idle true", 'cannot execute a command in the container "idle": it is not running'],
  ["exec idle", '"tsrun exec" needs a COMMAND'],
  ["attach idle", 'cannot attach to the container "idle": it is not running'],
  ["pause idle", 'cannot pause the container "idle": it is not running'],
  ["logs nobody", 'there is no container "nobody"'],
  ["logs --tail some idle", 'invalid value "some" for --tail: it is not a whole number'],
  ["logs --since yesterday idle", '"yesterday" for --since is no time'],
  ["ps --filter frob=1", 'invalid value "frob=1" for --filter: there is no filter "frob"'],
  ["ps --filter status=frob", 'invalid value "frob" for --filter status: it is not known'],
  ["ps -a --format {{.Frob}}", 'invalid value "{{.Frob}}" for --format: there is no field ".Frob"'],
  ["ps -a --format {{.ID", 'invalid value "{{.ID" for --format: a "{{" is not closed'],
  ["top idle", 'cannot list the processes of the container "idle": it is not running'],
  ["inspect nobody", 'there is no container or image "nobody"'],
  ["inspect --type frob idle", 'invalid value "frob" for --type: it is not known'],
  [
    "stats --interval 0 --no-stream",
    'invalid value "0" for --interval: it is not a number of seconds',
  ],
  ["wait --condition frob idle", 'invalid value "frob" for --condition: it is not known'],
  ["rename idle a/b", 'invalid value "a/b" for NAME: it is not a container name'],
  ["update idle", "no limit is given to change"],
  ["update --memory x idle", 'invalid value "x" for --memory: it is not a size'],
  ["rm -t 1 idle", "--time has no meaning without --force"],
  ["events --filter event=frob", 'invalid value "frob" for --filter event: it is not known'],
  ["plan --format yaml busybox", 'invalid value "yaml" for --format: it is not known'],
  ["image import /no/such x", 'there is no "/no/such" to import'],
  ["image import /etc/passwd x", '"/etc/passwd" is not a tar archive'],
  ["image inspect nosuch", 'there is no image "nosuch"'],
  ["image tag busybox UPPER", '"UPPER" is not an image name'],
  ["image rm busybox", 'the image "busybox" is used by a container'],
  ["completion powershell", 'no completion for "powershell"', "Use one of bash, zsh, fish."],
  ["help frob", 'there is no command "frob"'],
];

describe("wrong input", () => {
  for (const [line, sentence, hint] of CASES) {
    it(`tsrun ${line}`, async () => {
      const bad = cli.file("bad-env");
      const words = line.split(" ").map((word) => (word === "BAD_ENV" ? bad : word));
      const result = await cli.run(words);
      const [first, second = ""] = result.stderr.replaceAll(bad, "BAD_ENV").split("\n");
      assert.equal(first, `Error: ${sentence}`);
      if (hint !== undefined) assert.equal(second, `Hint: ${hint}`);
      assert.equal(result.stdout, "");
      assert.equal(result.status, 125);
      assert.ok(second.startsWith("Hint: "), `a hint, not "${second}"`);
    });
  }

  it("leaves nothing behind", async () => {
    assert.equal(await cli.ok("ps", "-a", "--format", "{{.Names}}"), "idle");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
    assert.equal(readdirSync(`${cli.env["TSRUN_ROOT"]}/containers`).length, 1);
  });

  it("is explained with --debug: code, origin and stack", async () => {
    const { stderr } = await cli.run(["--debug", "run", "--memory", "12q", "busybox"]);
    assert.match(stderr, /^ {2}code: INVALID_ARGUMENT$/m);
    assert.match(stderr, /^ {2}origin: --memory$/m);
    assert.match(stderr, /^ {4}at /m);
  });
});
