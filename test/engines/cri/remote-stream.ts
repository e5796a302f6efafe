/**
 * The streams of a remote command over one WebSocket, as Kubernetes' "v4.channel.k8s.io" has them: each
 * message is binary, and its first byte is the number of its channel.
 */
import { Agent, WebSocket } from "undici";

const PROTOCOL = "v4.channel.k8s.io";
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const TIMEOUT_MS = 30_000;

/** How the command ended: Kubernetes' Status, as JSON on the error channel. */
export interface EndStatus {
  readonly status: "Success" | "Failure";
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { reason: string; message: string }[] };
}

export class RemoteStream implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #socket: WebSocket;
  readonly #agent: Agent;
  readonly #closed: Promise<void>;
  #error = "";
  #onChange: () => void = () => {};

  private constructor(url: string, viaSocket: string) {
    this.#agent = new Agent({ connect: { socketPath: viaSocket } });
    this.#socket = new WebSocket(url.replace(/^http/, "ws"), {
      protocols: [PROTOCOL],
      dispatcher: this.#agent,
    });
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("message", ({ data }) => this.#receive(Buffer.from(data)));
    this.#closed = new Promise((resolve) =>
      this.#socket.addEventListener("close", () => resolve()),
    );
  }

  /** `url` is what Exec or Attach answered; its server is reached over the Unix socket `viaSocket`. */
  static async open(url: string, viaSocket: string): Promise<RemoteStream> {
    const stream = new RemoteStream(url, viaSocket);
    await new Promise<void>((resolve, reject) => {
      stream.#socket.addEventListener("open", () => resolve());
      stream.#socket.addEventListener("error", ({ error }) => reject(error));
    });
    return stream;
  }

  type(text: string): void {
    this.#send(CHANNEL.stdin, text);
  }

  resize(columns: number, rows: number): void {
    this.#send(CHANNEL.resize, JSON.stringify({ Width: columns, Height: rows }));
  }

  /** Waits until the output so far matches. */
  async waitFor(pattern: RegExp): Promise<void> {
    const found = new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (pattern.test(this.stdout)) resolve();
      };
      this.#onChange();
    });
    await this.#inTime(String(pattern), Promise.race([found, this.#closed]));
    if (!pattern.test(this.stdout)) throw new Error(`ended without ${pattern}: ${this.#shown()}`);
  }

  /** Waits for the end of the streams. */
  async ended(): Promise<EndStatus> {
    await this.#inTime("the end", this.#closed);
    if (this.#error === "") throw new Error(`closed without a status: ${this.#shown()}`);
    return JSON.parse(this.#error) as EndStatus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#agent.destroy();
  }

  #receive(message: Buffer): void {
    const text = message.subarray(1).toString();
    if (message[0] === CHANNEL.stdout) this.stdout += text;
    else if (message[0] === CHANNEL.stderr) this.stderr += text;
    else if (message[0] === CHANNEL.error) this.#error += text;
    this.#onChange();
  }

  #send(channel: number, text: string): void {
    this.#socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(text)]));
  }

  async #inTime(what: string, happened: Promise<void>): Promise<void> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    await Promise.race([
      happened,
      new Promise<never>((_, reject) => {
        timeout.onabort = () => reject(new Error(`waited in vain for ${what}: ${this.#shown()}`));
      }),
    ]);
  }

  #shown(): string {
    return JSON.stringify({ stdout: this.stdout, stderr: this.stderr, error: this.#error });
  }
}
