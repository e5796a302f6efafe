/**
 * runtime.proto's messages as the tests write and read them. What a request leaves out has protobuf's
 * default; 64-bit numbers come back as text.
 */

type NamespaceMode = "POD" | "CONTAINER" | "NODE" | "TARGET";

interface NamespaceOptions {
  readonly network?: NamespaceMode;
  readonly pid?: NamespaceMode;
  readonly ipc?: NamespaceMode;
  readonly targetId?: string;
}

interface SecurityProfile {
  readonly profileType: "RuntimeDefault" | "Unconfined" | "Localhost";
  readonly localhostRef?: string;
}

export interface PodConfig {
  readonly metadata: { name: string; uid: string; namespace: string; attempt?: number };
  readonly hostname?: string;
  readonly logDirectory?: string;
  readonly dnsConfig?: { servers?: string[]; searches?: string[]; options?: string[] };
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: {
    readonly cgroupParent?: string;
    readonly sysctls?: Readonly<Record<string, string>>;
    readonly securityContext?: {
      readonly namespaceOptions?: NamespaceOptions;
      readonly privileged?: boolean;
      readonly readonlyRootfs?: boolean;
      readonly seccomp?: SecurityProfile;
    };
  };
}

export interface Resources {
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly unified?: Readonly<Record<string, string>>;
}

export interface SecurityContext {
  readonly capabilities?: { addCapabilities?: string[]; dropCapabilities?: string[] };
  readonly privileged?: boolean;
  readonly namespaceOptions?: NamespaceOptions;
  readonly runAsUser?: { value: number };
  readonly runAsGroup?: { value: number };
  readonly readonlyRootfs?: boolean;
  readonly supplementalGroups?: readonly number[];
  readonly noNewPrivs?: boolean;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly seccomp?: SecurityProfile;
}

interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly?: boolean;
  readonly propagation?:
    | "PROPAGATION_PRIVATE"
    | "PROPAGATION_HOST_TO_CONTAINER"
    | "PROPAGATION_BIDIRECTIONAL";
}

export interface ContainerConfig {
  readonly metadata: { name: string; attempt?: number };
  readonly image: { image: string };
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly envs?: readonly { key: string; value: string }[];
  readonly mounts?: readonly Mount[];
  readonly devices?: readonly { containerPath: string; hostPath: string; permissions: string }[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly logPath?: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly linux?: { resources?: Resources; securityContext?: SecurityContext };
}

type ContainerState =
  | "CONTAINER_CREATED"
  | "CONTAINER_RUNNING"
  | "CONTAINER_EXITED"
  | "CONTAINER_UNKNOWN";

export interface ContainerStatus {
  readonly id: string;
  readonly metadata: { name: string };
  readonly state: ContainerState;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
}

interface PodStatus {
  readonly id: string;
  readonly metadata: PodConfig["metadata"];
  readonly state: "SANDBOX_READY" | "SANDBOX_NOTREADY";
  readonly network: { ip: string } | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

interface Call<Request, Response> {
  readonly request: Request;
  readonly response: Response;
}

type Empty = Readonly<Record<string, never>>;
type OfPod = { podSandboxId: string };
type OfContainer = { containerId: string };
type Info = Readonly<Record<string, string>>;
type Streams = { stdin?: boolean; stdout?: boolean; stderr?: boolean; tty?: boolean };

/** The calls of RuntimeService. */
export interface Calls {
  Version: Call<Empty, { runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }>;
  Status: Call<
    { verbose?: boolean },
    { status: { conditions: { type: string; status: boolean; message: string }[] }; info: Info }
  >;
  RunPodSandbox: Call<{ config: PodConfig; runtimeHandler?: string }, OfPod>;
  PodSandboxStatus: Call<OfPod & { verbose?: boolean }, { status: PodStatus; info: Info }>;
  ListPodSandbox: Call<Empty, { items: { id: string; runtimeHandler: string }[] }>;
  StopPodSandbox: Call<OfPod, Empty>;
  RemovePodSandbox: Call<OfPod, Empty>;
  CreateContainer: Call<OfPod & { config: ContainerConfig; sandboxConfig: PodConfig }, OfContainer>;
  StartContainer: Call<OfContainer, Empty>;
  ContainerStatus: Call<
    OfContainer & { verbose?: boolean },
    { status: ContainerStatus; info: Info }
  >;
  ListContainers: Call<
    { filter?: { podSandboxId?: string; labelSelector?: Readonly<Record<string, string>> } },
    { containers: { id: string; metadata: { name: string }; state: ContainerState }[] }
  >;
  StopContainer: Call<OfContainer & { timeout?: number }, Empty>;
  RemoveContainer: Call<OfContainer, Empty>;
  UpdateContainerResources: Call<OfContainer & { linux: Resources }, Empty>;
  ReopenContainerLog: Call<OfContainer, Empty>;
  ExecSync: Call<
    OfContainer & { cmd: readonly string[]; timeout?: number },
    { stdout: Buffer; stderr: Buffer; exitCode: number }
  >;
  Exec: Call<OfContainer & Streams & { cmd: readonly string[] }, { url: string }>;
  Attach: Call<OfContainer & Streams, { url: string }>;
  ContainerStats: Call<
    OfContainer,
    {
      stats: {
        attributes: { id: string; metadata: { name: string } };
        cpu: { usageCoreNanoSeconds: { value: string } | null } | null;
        memory: { workingSetBytes: { value: string } | null } | null;
        writableLayer: { usedBytes: { value: string } | null } | null;
      };
    }
  >;
}
