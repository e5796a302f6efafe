/** What completes an argument or a value in a shell. */
export type Completion =
  | "containers"
  | "running"
  | "images"
  | "volumes"
  | "signals"
  | "files"
  | "directories"
  | "commands"
  | "shells";

export interface OptionSpec {
  /** Without the dashes: podman's name where podman has one. */
  readonly name: string;
  readonly short?: string;
  /** Other long names of the same option, not shown in help. */
  readonly aliases?: readonly string[];
  /** A list may be repeated; a value's last one wins. */
  readonly kind: "flag" | "value" | "list";
  /** What stands for the value in help: "SIZE". */
  readonly placeholder?: string;
  readonly summary: string;
  /** What holds without the option; of a flag "true" or nothing. */
  readonly default?: string;
  /** The heading it stands under in help; "Options" without one. */
  readonly group?: string;
  readonly choices?: readonly string[];
  readonly completion?: Completion;
}
