import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TsrunError } from "../../../../src/base/errors.ts";
import {
  readCredentials,
  removeCredentials,
  writeCredentials,
} from "../../../../src/images/registry/credentials.ts";

let base: string;
let environment: Record<string, string>;

before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-credentials-"));
  environment = { HOME: join(base, "home"), XDG_RUNTIME_DIR: join(base, "run") };
});
after(() => rmSync(base, { recursive: true, force: true }));

function encode(user: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString("base64") };
}

function write(path: string, value: unknown): string {
  const file = join(base, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return file;
}

describe("credentials", () => {
  it("come from podman's file before docker's", async () => {
    write("home/.docker/config.json", {
      auths: {
        "host.example": encode("docker", "a"),
        "https://index.docker.io/v1/": encode("hub", "b:c"),
      },
    });
    write("run/containers/auth.json", { auths: { "host.example": encode("podman", "a") } });
    const found = await readCredentials("host.example", "app", { environment });
    assert.deepEqual(found, { kind: "password", username: "podman", password: "a" });
    const hub = await readCredentials("docker.io", "library/debian", { environment });
    assert.deepEqual(hub, { kind: "password", username: "hub", password: "b:c" });
    assert.equal(await readCredentials("other.example", "app", { environment }), undefined);
  });

  it("are those that say most of the repository", async () => {
    const authFile = write("auth.json", {
      auths: {
        "host.example": encode("host", "x"),
        "host.example/team": encode("team", "x"),
        "host.example/team/app": { identitytoken: "secret" },
      },
    });
    const as = async (repository: string) => {
      const found = await readCredentials("host.example", repository, { authFile });
      return found?.kind === "password" ? found.username : found?.token;
    };
    assert.equal(await as("other/app"), "host");
    assert.equal(await as("team/other"), "team");
    assert.equal(await as("team/app"), "secret");
    assert.equal(await as("teammate/app"), "host");
  });

  it("are written for nobody else to read, beside what was there, and removed again", async () => {
    const authFile = write("own/auth.json", { auths: { "a.example": encode("a", "a") }, other: 1 });
    const own = { kind: "password", username: "me", password: "p:w" } as const;
    assert.equal(await writeCredentials("b.example", own, { authFile }), authFile);
    assert.equal(statSync(authFile).mode & 0o777, 0o600);
    assert.deepEqual(await readCredentials("b.example", "", { authFile }), own);
    assert.equal(await removeCredentials("b.example", { authFile }), true);
    assert.equal(await removeCredentials("b.example", { authFile }), false);
    const left = JSON.parse(readFileSync(authFile, "utf8")) as unknown;
    assert.deepEqual(left, { auths: { "a.example": encode("a", "a") }, other: 1 });
    assert.equal(await removeCredentials(undefined, { authFile }), true);
    assert.equal(await readCredentials("a.example", "", { authFile }), undefined);
  });

  it("are kept in his configuration for a user without a runtime directory", async () => {
    const user = { HOME: join(base, "carol"), TSRUN_ROOTLESS_UID: "1000" };
    const own = { kind: "password", username: "me", password: "p" } as const;
    const file = await writeCredentials("c.example", own, { environment: user });
    assert.equal(file, join(base, "carol/.config/containers/auth.json"));
    assert.deepEqual(await readCredentials("c.example", "", { environment: user }), own);
    assert.equal(await removeCredentials("c.example", { environment: user }), true);
    const session = { ...user, XDG_RUNTIME_DIR: join(base, "session") };
    const first = await writeCredentials("c.example", own, { environment: session });
    assert.equal(first, join(base, "session/containers/auth.json"));
  });

  it("are a helper's where one is named", async () => {
    const path = process.env["PATH"];
    const helper = write(
      "bin/docker-credential-testing",
      '#!/bin/sh\nread -r server\ncase "$1 $server" in\n"get known.example") echo \'{"Username":"u","Secret":"s"}\';;\n"get token.example") echo \'{"Username":"<token>","Secret":"t"}\';;\nget*) echo "credentials not found in native keychain"; exit 1;;\n*) exit 2;;\nesac\n',
    );
    chmodSync(helper, 0o755);
    process.env["PATH"] = `${join(base, "bin")}:${path}`;
    try {
      const authFile = write("helped.json", {
        credsStore: "testing",
        auths: { "plain.example": encode("plain", "x") },
        credHelpers: { "gone.example": "not-there-at-all" },
      });
      const read = (host: string) => readCredentials(host, "app", { authFile });
      assert.deepEqual(await read("known.example"), {
        kind: "password",
        username: "u",
        password: "s",
      });
      assert.deepEqual(await read("token.example"), { kind: "identity", token: "t" });
      assert.equal(await read("unknown.example"), undefined);
      assert.deepEqual(await read("plain.example"), {
        kind: "password",
        username: "plain",
        password: "x",
      });
      await assert.rejects(
        read("gone.example"),
        /docker-credential-not-there-at-all.*no such program/,
      );
    } finally {
      process.env["PATH"] = path;
    }
  });

  it("that cannot be read are told by their file's name", async () => {
    const authFile = write("broken.json", "{ not json");
    await assert.rejects(
      readCredentials("host.example", "app", { authFile }),
      (error) => error instanceof TsrunError && error.message.includes(authFile),
    );
  });
});
