import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../../src/base/errors.ts";
import {
  expandName,
  NO_REGISTRIES_CONF,
  planSources,
} from "../../../../src/images/registry/plan-sources.ts";
import {
  mergeRegistriesConf,
  parseRegistriesConf,
} from "../../../../src/images/registry/registries-conf.ts";

const CONF = parseRegistriesConf(
  `
unqualified-search-registries = ["one.example", "two.example:5000"]
short-name-mode = "enforcing"

[aliases]
"fedora" = "registry.fedora.example/fedora"

[[registry]]
prefix = "one.example/team"
location = "internal.example:5000/mirrored"

[[registry]]
location = "one.example"
insecure = true

[[registry.mirror]]
location = "mirror.example/one"

[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
insecure = true

[[registry]]
prefix = "*.blocked.example"
blocked = true
`,
  "registries.conf",
);

const DIGEST = `sha256:${"0".repeat(64)}`;

function sources(name: string, digest?: string): string[] {
  return planSources({ name, ...(digest ? { digest } : {}) }, CONF).map(
    ({ host, repository, insecure }) => `${host}/${repository}${insecure ? " insecure" : ""}`,
  );
}

function refuses(code: string) {
  return (error: unknown) => error instanceof TsrunError && error.code === code;
}

describe("a short name", () => {
  it("is looked for in the search registries, in order", () => {
    assert.deepEqual(expandName("debian", CONF), ["one.example/debian", "two.example:5000/debian"]);
    assert.deepEqual(expandName("team/app", CONF)[0], "one.example/team/app");
  });

  it("stands for its alias", () => {
    assert.deepEqual(expandName("fedora", CONF), ["registry.fedora.example/fedora"]);
  });

  it("is Docker Hub's where nothing is configured", () => {
    assert.deepEqual(expandName("debian", NO_REGISTRIES_CONF), ["docker.io/library/debian"]);
    assert.deepEqual(expandName("team/app", NO_REGISTRIES_CONF), ["docker.io/team/app"]);
  });

  it("is none with a host before it", () => {
    for (const name of ["localhost/app", "host:5000/app", "host.example/a/b"]) {
      assert.deepEqual(expandName(name, CONF), [name]);
    }
    assert.deepEqual(expandName("index.docker.io/debian", CONF), ["docker.io/library/debian"]);
  });
});

describe("where an image is looked for", () => {
  it("is where its name says, without a rule", () => {
    assert.deepEqual(sources("other.example/app"), ["other.example/app"]);
  });

  it("is what the longest prefix makes of it", () => {
    assert.deepEqual(sources("one.example/team/app"), ["internal.example:5000/mirrored/app"]);
    assert.deepEqual(
      sources("one.example/teammate/app").at(-1),
      "one.example/teammate/app insecure",
    );
  });

  it("is in the mirrors first, in those that take tags or digests", () => {
    assert.deepEqual(sources("one.example/app"), [
      "mirror.example/one/app",
      "one.example/app insecure",
    ]);
    assert.deepEqual(sources("one.example/app", DIGEST), [
      "mirror.example/one/app",
      "digests.example/app insecure",
      "one.example/app insecure",
    ]);
  });

  it("is nowhere when it is blocked", () => {
    assert.throws(() => sources("a.blocked.example/app"), refuses("REGISTRY_DENIED"));
    assert.deepEqual(sources("blocked.example/app"), ["blocked.example/app"]);
  });
});

describe("registries.conf", () => {
  it("takes aliases and registries of later files before those of earlier ones", () => {
    const later = parseRegistriesConf(
      '[aliases]\n"fedora" = "x.example/fedora"\n[[registry]]\nlocation = "one.example"\n',
      "later.conf",
    );
    const merged = mergeRegistriesConf(CONF, later);
    assert.deepEqual(expandName("fedora", merged), ["x.example/fedora"]);
    assert.deepEqual(merged.searchRegistries, CONF.searchRegistries);
    assert.deepEqual(planSources({ name: "one.example/app" }, merged), [
      { host: "one.example", repository: "app", insecure: false },
    ]);
  });

  it("names itself in what is wrong with it", () => {
    const wrong = [
      "this is = not [toml",
      "[[registry]]\ninsecure = true\n",
      '[[registry]]\nlocation = "a"\ninsecure = "yes"\n',
      '[registries.search]\nregistries = ["a"]\n',
      "unqualified-search-registries = 3\n",
      '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "x"\n',
    ];
    for (const text of wrong) {
      assert.throws(
        () => parseRegistriesConf(text, "my.conf"),
        (error) => error instanceof TsrunError && error.message.includes('"my.conf"'),
        text,
      );
    }
  });
});
