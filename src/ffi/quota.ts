/**
 * Project quotas, as ext4 and xfs have them: a directory's project, and the limit of all files of a project.
 * quotactl(2), linux/dqblk_xfs.h; struct fsxattr is linux/fs.h's, ioctl_xfs_fsgetxattr(2).
 */
import { hasErrno } from "../base/errors.ts";
import { syscall } from "./libc.ts";

const PRJQUOTA = 2;
/** XQM_CMD(n): what xfs began with; the VFS answers them for ext4 as well. */
const Q_XGETQUOTA = 0x5803;
const Q_XSETQLIM = 0x5804;
const Q_XGETQSTAT = 0x5805;

/** quotactl_fd(2), Linux 5.14: the file system is the descriptor's, of which the device need not be known. */
function quotactl(command: number, fd: number, project: number, buffer: Uint8Array): void {
  syscall("quotactl_fd", `fd ${fd}`, fd, command * 256 + PRJQUOTA, project, buffer);
}

/** struct fs_quota_stat. */
const STATE_SIZE = 80;
const STATE_FLAGS = 2;
const FS_QUOTA_PDQ_ACCT_ENFD = 0x30;

/** Whether the file system counts what a project has, and holds it to its limit. */
export function hasProjectQuota(fd: number): boolean {
  const state = Buffer.alloc(STATE_SIZE);
  try {
    quotactl(Q_XGETQSTAT, fd, 0, state);
  } catch (error) {
    // No quotas at all: in the kernel, in the file system, as it is mounted, or for this user.
    if (hasErrno(error, "ENOSYS", "EINVAL", "EOPNOTSUPP", "ENOTTY", "ESRCH", "EPERM")) return false;
    throw error;
  }
  const flags = state.readUInt16LE(STATE_FLAGS);
  return (flags & FS_QUOTA_PDQ_ACCT_ENFD) === FS_QUOTA_PDQ_ACCT_ENFD;
}

/** struct fs_disk_quota; blocks are of 512 bytes. */
const QUOTA_SIZE = 112;
const QUOTA = {
  version: 0,
  flags: 1,
  fieldMask: 2,
  id: 4,
  hardBlocks: 8,
  softBlocks: 16,
  blocks: 40,
  inodes: 48,
} as const;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT_BHARD = 0xc;
const BLOCK_BYTES = 512n;

export interface ProjectQuota {
  /** 0 is no limit. */
  readonly limitBytes: bigint;
  readonly usedBytes: bigint;
  readonly usedInodes: bigint;
}

/** Of a project that nobody has ever used, all is 0. */
export function readProjectQuota(fd: number, project: number): ProjectQuota {
  const quota = Buffer.alloc(QUOTA_SIZE);
  try {
    quotactl(Q_XGETQUOTA, fd, project, quota);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ESRCH")) throw error; // xfs makes a record when it needs one
  }
  return {
    limitBytes: quota.readBigUInt64LE(QUOTA.hardBlocks) * BLOCK_BYTES,
    usedBytes: quota.readBigUInt64LE(QUOTA.blocks) * BLOCK_BYTES,
    usedInodes: quota.readBigUInt64LE(QUOTA.inodes),
  };
}

/** 0 takes the limit away. It is a hard one: nothing more can be written, from that byte on. */
export function setProjectLimit(fd: number, project: number, limitBytes: bigint): void {
  const quota = Buffer.alloc(QUOTA_SIZE);
  quota.writeInt8(FS_DQUOT_VERSION, QUOTA.version);
  quota.writeInt8(FS_PROJ_QUOTA, QUOTA.flags);
  quota.writeUInt16LE(FS_DQ_BSOFT_BHARD, QUOTA.fieldMask);
  quota.writeUInt32LE(project, QUOTA.id);
  quota.writeBigUInt64LE(limitBytes / BLOCK_BYTES, QUOTA.hardBlocks);
  quotactl(Q_XSETQLIM, fd, project, quota);
}

/** _IOR('X', 31, struct fsxattr), _IOW('X', 32, struct fsxattr). */
const FS_IOC_FSGETXATTR = 0x801c_581f;
const FS_IOC_FSSETXATTR = 0x401c_5820;
const FSXATTR_SIZE = 28;
const FSXATTR = { flags: 0, project: 12 } as const;
const FS_XFLAG_PROJINHERIT = 0x200;

/** The project of the open file or directory; 0 is nobody's, and what a file system without projects has. */
export function readProject(fd: number): number {
  const attributes = Buffer.alloc(FSXATTR_SIZE);
  try {
    syscall("ioctl", `fd ${fd}`, fd, FS_IOC_FSGETXATTR, attributes);
  } catch (error) {
    if (hasErrno(error, "ENOTTY", "EOPNOTSUPP", "ENOSYS")) return 0;
    throw error;
  }
  return attributes.readUInt32LE(FSXATTR.project);
}

/** What is made in the open directory from now on is of the project, and in what is made there. */
export function setProject(fd: number, project: number): void {
  const attributes = Buffer.alloc(FSXATTR_SIZE);
  syscall("ioctl", `fd ${fd}`, fd, FS_IOC_FSGETXATTR, attributes);
  const flags = attributes.readUInt32LE(FSXATTR.flags) | FS_XFLAG_PROJINHERIT;
  attributes.writeUInt32LE(flags >>> 0, FSXATTR.flags);
  attributes.writeUInt32LE(project, FSXATTR.project);
  syscall("ioctl", `fd ${fd}`, fd, FS_IOC_FSSETXATTR, attributes);
}
