/**
 * What a kubelet does with its container runtime: calls over gRPC, and streams over WebSocket. gRPC is
 * @grpc/grpc-js's, which has no native part and reads the .proto as it is; only tests load it.
 */
import { join } from "node:path";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { until } from "../private-host.ts";
import type { Calls, ContainerConfig, ContainerStatus, PodConfig } from "./messages.ts";
import { RemoteStream } from "./remote-stream.ts";

const CALL_TIMEOUT_MS = 120_000;

type Unary = (
  request: unknown,
  options: { deadline: number },
  answered: (error: Error | null, response: unknown) => void,
) => void;

type Output = { stdout: string; stderr: string; status: number };

export class Kubelet implements Disposable {
  readonly #client: InstanceType<ServiceClientConstructor>;
  readonly #streamSocket: string;

  /** `socket` is containerd's; behind `streamSocket` is the server that its answers name as the streams'. */
  constructor(socket: string, streamSocket: string) {
    const definition = loadSync(join(import.meta.dirname, "runtime.proto"), {
      ...{ longs: String, enums: String, defaults: true },
    });
    const { RuntimeService } = (
      loadPackageDefinition(definition) as unknown as {
        runtime: { v1: { RuntimeService: ServiceClientConstructor } };
      }
    ).runtime.v1;
    this.#client = new RuntimeService(`unix://${socket}`, credentials.createInsecure());
    this.#streamSocket = streamSocket;
  }

  call<Name extends keyof Calls>(
    name: Name,
    request: Calls[Name]["request"],
  ): Promise<Calls[Name]["response"]> {
    return new Promise((resolve, reject) => {
      const method = this.#client[name] as unknown as Unary;
      method.call(
        this.#client,
        request,
        { deadline: Date.now() + CALL_TIMEOUT_MS },
        (error, response) => (error === null ? resolve(response as never) : reject(error)),
      );
    });
  }

  /** The sandbox's id. */
  async runPod(config: PodConfig, runtimeHandler: string): Promise<string> {
    return (await this.call("RunPodSandbox", { config, runtimeHandler })).podSandboxId;
  }

  /** As a kubelet ends a pod: its sandbox is stopped, which ends all in it, and what is left is removed. */
  async removePod(podSandboxId: string): Promise<void> {
    await this.call("StopPodSandbox", { podSandboxId });
    const { containers } = await this.call("ListContainers", { filter: { podSandboxId } });
    for (const { id } of containers) await this.call("RemoveContainer", { containerId: id });
    await this.call("RemovePodSandbox", { podSandboxId });
  }

  /** The id of a container that was created and started. */
  async start(podSandboxId: string, pod: PodConfig, config: ContainerConfig): Promise<string> {
    const containerId = await this.create(podSandboxId, pod, config);
    await this.call("StartContainer", { containerId });
    return containerId;
  }

  async create(podSandboxId: string, pod: PodConfig, config: ContainerConfig): Promise<string> {
    const request = { podSandboxId, config, sandboxConfig: pod };
    return (await this.call("CreateContainer", request)).containerId;
  }

  async status(containerId: string): Promise<ContainerStatus> {
    return (await this.call("ContainerStatus", { containerId })).status;
  }

  /** Waits for its end, and tells of it. */
  async ended(containerId: string): Promise<ContainerStatus> {
    const hasEnded = async () => (await this.status(containerId)).state === "CONTAINER_EXITED";
    await until("the container ends", hasEnded);
    return this.status(containerId);
  }

  /** Runs a command to its end. */
  async execSync(containerId: string, ...cmd: readonly string[]): Promise<Output> {
    const { stdout, stderr, exitCode } = await this.call("ExecSync", { containerId, cmd });
    return { stdout: stdout.toString(), stderr: stderr.toString(), status: exitCode };
  }

  /** stdout, without its last line end, of a shell's command that has to succeed. */
  async sh(containerId: string, script: string): Promise<string> {
    const { status, stdout, stderr } = await this.execSync(containerId, "sh", "-c", script);
    if (status !== 0) throw new Error(`${script}: ${status}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, "");
  }

  /** A command and its streams, as "kubectl exec -i" has them. */
  async exec(
    containerId: string,
    cmd: readonly string[],
    { tty = false } = {},
  ): Promise<RemoteStream> {
    const streams = { stdin: true, stdout: true, stderr: !tty, tty };
    const { url } = await this.call("Exec", { containerId, cmd, ...streams });
    return RemoteStream.open(url, this.#streamSocket);
  }

  /** The streams of a container's first process, as "kubectl attach -i" has them. */
  async attach(containerId: string, { tty = false } = {}): Promise<RemoteStream> {
    const streams = { stdin: true, stdout: true, stderr: !tty, tty };
    const { url } = await this.call("Attach", { containerId, ...streams });
    return RemoteStream.open(url, this.#streamSocket);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
