/**
 * tsrun as a library: `import { run, create } from "tsrun"`. One engine is behind it and the command
 * line, so a container made here is listed by `tsrun ps`, and the other way round.
 */
export { ERROR_CODES, type ErrorCode, TsrunError } from "./base/errors.ts";
export {
  BuildFailure,
  type BuildImageOptions,
  type BuildProgress,
  type BuiltImageView,
  buildImageWith as buildImage,
} from "./build/index.ts";
export {
  type AttachRequest,
  type AttachStream,
  type ContainerRequest,
  type ContainerStats,
  type ContainerStatus,
  type ContainerView,
  cpuPercent,
  type DeviceRequest,
  type EngineEvent,
  type EngineInfo,
  type ExecSession,
  type LimitsRequest,
  type ListOptions,
  type LogOptions,
  type MountRequest,
  type NamespaceChoice,
  type NamespacesRequest,
  type ProcessRow,
  type PrunedVolumes,
  type RemoveVolumeOptions,
  type RootMode,
  type SecurityRequest,
  type VolumeCreation,
  type VolumeFilters,
  type VolumeView,
  type WaitOptions,
  type WatchEventsOptions,
} from "./engine/index.ts";
export {
  Container,
  type CreateOptions,
  create,
  type ExecCommandOptions,
  type ExecResult,
  type ExitResult,
  events,
  type InputChoice,
  images,
  info,
  type LogLine,
  list,
  type OutputChoice,
  open,
  type PullChoice,
  type RunOptions,
  type RunResult,
  run,
  type StoreOptions,
  volumes,
} from "./engine/library/index.ts";
export type { ExitStatus } from "./runtime/index.ts";
export type {
  OciDevice,
  OciDeviceRule,
  OciIdMapping,
  OciRlimit,
  OciThrottle,
} from "./spec/index.ts";
