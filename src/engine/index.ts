/**
 * Owns what a person asks for: named containers from images, their records, their lifecycle, and what
 * is told about them. It refuses to know the kernel (the runtime does) and to print (the CLI does).
 * Start with records.ts (what is kept where), lifecycle.ts and status.ts, then start.ts.
 */
export {
  type AttachEnd,
  type AttachStream,
  type DetachKeys,
  DetachScanner,
  parseDetachKeys,
} from "./attach/index.ts";
export { attachContainer } from "./attach-container.ts";
export {
  type BackupOptions,
  backupContainer,
  type ReadBackup,
  readBackup,
} from "./backup/backup.ts";
export { type RestoreOptions, restoreBackup } from "./backup/restore.ts";
export {
  abandonedBuilds,
  BUILD_LABEL,
  makeBuildDirectory,
  recordBuild,
  removeAbandonedBuild,
  removeBuildDirectory,
} from "./builds.ts";
export { resolveUser } from "./bundle/user.ts";
export { type CheckOptions, checkSystem, type Finding } from "./check-system.ts";
export { type CommitOptions, commitContainer } from "./commit.ts";
export { containerLogs, type LogOptions } from "./container-logs.ts";
export { type CopyOptions, copyFromContainer, copyToContainer } from "./copy.ts";
export { createContainer } from "./create.ts";
export { diffContainerOrImage } from "./diff.ts";
export { type Engine, type EngineOptions, openEngine } from "./engine.ts";
export {
  type EngineEvent,
  EVENT_STATUSES,
  EVENT_TYPES,
  type EventFilters,
} from "./events/event.ts";
export { type WatchEventsOptions, watchEvents } from "./events/watch.ts";
export { type ExecOptions, type ExecRequest, type ExecSession, execInContainer } from "./exec.ts";
export { type ExportOptions, exportContainer } from "./export.ts";
export {
  completeImageName,
  importImage,
  inspectImage,
  listImageLayers,
  listImages,
  listImageVersions,
  loadImages,
  type PruneOptions,
  type PullPolicy,
  prepareImage,
  promoteImage,
  pruneImages,
  pullImage,
  pushImage,
  readImageSize,
  readImageUsage,
  removeImage,
  saveImages,
  tagImage,
} from "./images.ts";
export { type EngineInfo, engineInfo } from "./info.ts";
export { type KillOptions, killContainer } from "./kill.ts";
export { currentUpper, layersOf, lowerDirectories } from "./layers.ts";
export {
  inspectContainer,
  type ListFilters,
  type ListOptions,
  listContainers,
} from "./list.ts";
export { LogFormatter, type LogRecord, parseLogTime } from "./logs/index.ts";
export { readRuntimeDirectory } from "./own-directories.ts";
export { pauseContainer, resumeContainer } from "./pause.ts";
export { planContainer } from "./plan-request.ts";
export {
  type ContainerPruneFilters,
  listPrunableContainers,
  type PrunedContainers,
  pruneContainers,
} from "./prune.ts";
export type * from "./records.ts";
export { type RemoveOptions, removeContainer } from "./remove.ts";
export { renameContainer } from "./rename.ts";
export type * from "./request.ts";
export { restartContainer } from "./restart.ts";
export { type RunOptions, runContainer } from "./run.ts";
export { runOnLayers } from "./run-on-layers.ts";
export {
  type CloneOptions,
  cloneContainer,
  listSnapshots,
  removeSnapshot,
  restoreContainer,
  type SnapshotView,
  snapshotContainer,
} from "./snapshots/index.ts";
export {
  type AttachRequest,
  type StartedContainer,
  type StartOptions,
  startContainer,
} from "./start.ts";
export { type ContainerStats, containerStats, cpuPercent } from "./stats.ts";
export { type StopOptions, stopContainer } from "./stop.ts";
export { containerTop, type ProcessRow } from "./top.ts";
export { type UpdateOptions, updateContainer } from "./update.ts";
export { type ContainerUsage, readContainerUsage, readFrozenUsage } from "./usage.ts";
export {
  createVolume,
  exportVolume,
  importVolume,
  inspectVolume,
  listVolumes,
  type PrunedVolumes,
  pruneVolumes,
  type RemoveVolumeOptions,
  readVolumeSize,
  removeVolume,
  type VolumeCreation,
  type VolumeFilters,
  type VolumeView,
} from "./volumes/manage.ts";
export { readVolumePath } from "./volumes/use.ts";
export { type WaitCondition, type WaitOptions, waitContainer } from "./wait.ts";
