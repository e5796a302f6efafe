import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../../src/base/errors.ts";
import { planProxy } from "../../../../src/images/registry/plan-proxy.ts";

const PROXY = "http://proxy.example:3128";

function proxied(url: string, noProxy: string): boolean {
  const environment = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, NO_PROXY: noProxy };
  return planProxy(new URL(url), environment) !== undefined;
}

describe("the proxy of a request", () => {
  it("is the scheme's own, in either case", () => {
    const environment = { HTTP_PROXY: "http://plain.example", https_proxy: "http://tls.example" };
    const plan = (url: string) => planProxy(new URL(url), environment);
    assert.equal(plan("http://registry.example/"), "http://plain.example");
    assert.equal(plan("https://registry.example/"), "http://tls.example");
    assert.equal(planProxy(new URL("http://x.example"), {}), undefined);
    assert.equal(planProxy(new URL("http://x.example"), { ALL_PROXY: "p:1" }), "http://p:1");
    assert.equal(planProxy(new URL("http://x.example"), { HTTP_PROXY: "" }), undefined);
  });

  it("is none for this machine", () => {
    for (const host of ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"]) {
      assert.equal(proxied(`http://${host}/`, ""), false, host);
    }
  });

  it("is none for what NO_PROXY names", () => {
    assert.equal(proxied("https://a.example/", "b.example, a.example"), false);
    assert.equal(proxied("https://sub.a.example/", "a.example"), false);
    assert.equal(proxied("https://nota.example/", "a.example"), true);
    assert.equal(proxied("https://a.example/", ".a.example"), true);
    assert.equal(proxied("https://sub.a.example/", "*.a.example"), false);
    assert.equal(proxied("https://a.example/", "*"), false);
    assert.equal(proxied("https://a.example:5000/", "a.example:5000"), false);
    assert.equal(proxied("https://a.example:5001/", "a.example:5000"), true);
    assert.equal(proxied("https://a.example/", "a.example:443"), false);
    assert.equal(proxied("http://10.1.2.3/", "10.0.0.0/8"), false);
    assert.equal(proxied("http://11.1.2.3/", "10.0.0.0/8"), true);
    assert.equal(proxied("http://10.1.2.3/", "10.1.2.3"), false);
  });

  it("must be a URL", () => {
    const environment = { HTTP_PROXY: "socks5://x" };
    assert.throws(
      () => planProxy(new URL("http://x.example"), environment),
      (error) => error instanceof TsrunError && error.code === "INVALID_ARGUMENT",
    );
  });
});
